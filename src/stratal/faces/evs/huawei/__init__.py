"""What Huawei's own SDK calls: cloudvolumes, cloudsnapshots, standard snapshots (v5), jobs and tags.

Paths always have the project's id, errors are Huawei's, statuses are the words of its documents. Everything
is decided by the same services as in Block Storage.
"""
