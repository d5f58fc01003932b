"""Results that are worth a look when the tests are over, as tables."""

_cells = {}


def cells():
    """All that was recorded, to be carried from a process to another."""
    return _cells


def add(cells):
    """What another process has recorded."""
    for title, rows in cells.items():
        for row, columns in rows.items():
            _cells.setdefault(title, {}).setdefault(row, {}).update(columns)


def record(title, row, column, text):
    _cells.setdefault(title, {}).setdefault(row, {})[column] = text


def lines():
    """All tables as text."""
    for title, rows in _cells.items():
        columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
        first = max(map(len, [*rows, title]))
        widths = [max(len(column), *(len(cells.get(column, "-")) for cells in rows.values())) for column in columns]
        yield ""
        yield "  ".join([title.ljust(first), *(column.ljust(width) for column, width in zip(columns, widths))])
        for row, cells in rows.items():
            yield "  ".join([row.ljust(first),
                             *(cells.get(column, "-").ljust(width) for column, width in zip(columns, widths))])
