"""Who else calls the pipeline: batches over folders, a worker process and its exchange folder, previews of one slice.

May import every room of the library but ``mrml``.
"""
