"""Moving in: articles, publishers, categories and earlier analyses out of another newsletter's database.

``source`` reads it, ``shapes`` recognises its columns, ``rows`` and ``earlier`` say what a row of it is here, ``move`` keeps it. The
other database is only read. Nothing of it is run again or paid for.
"""
