"""The API of tenancy: namespaces, the key itself, and the tasks of a namespace."""
