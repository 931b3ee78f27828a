"""Studies on disk: ``studies`` is the door, ``formats`` the table. A file is read as what it declares, or refused.

May import ``image``, ``errors``, ``modalities`` and ``version``, and nothing else of the library.
"""
