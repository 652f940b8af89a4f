"""The interface that extractor packages are written against. Modules in here import each other relatively."""
