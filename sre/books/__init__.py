"""Bills on disk: the folder of one month, and the books, where a month that is closed stays as it is."""
