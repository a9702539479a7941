"""Small programs, queries, data formats and shell commands."""

from __future__ import annotations

import json

from grammar import Writer

from tasks import Task, plural

# What it does; parameter; body with NAME and ARG to fill in. Each runs.
_VERBS = ("calc", "do_it", "helper", "solve", "run_check", "apply", "work", "step", "handle", "process")


def python_function(w: Writer) -> Task:
    what, parameter, body = w.pick(w.table("functions"))
    name = w.pick(
        (
            what.split()[0].rstrip("s") + "_" + parameter,
            what.split()[0],
            f"{w.pick(_VERBS)}_{parameter}",
            w.pick(_VERBS),
        )
    )
    argument = w.pick((parameter, parameter, "value", "data", parameter[0], f"my_{parameter}"))
    ask = w.pick(
        (
            f"Write a Python function that {what}.",
            f"Python: a function {name} that {what}",
            f"I need a short function in Python which {what}.",
            f"Show me how to write code that {what}.",
            f"Implement {name}({argument}), which {what}.",
            f"Program a helper called {name} that {what}. Python, no imports.",
        )
    )
    code = f"def {name}({argument}):\n{body.replace('ARG', argument)}"
    after = w.pick(("", "", f"\n\nCall it as {name}(...).", f"\n\nIt {what}.", "\n\nNo import is needed."))
    return ask, "", (f"```python\n{code}\n```" if w.chance(0.4) else code) + after


_TABLES = {
    "orders": ("city", "total", "customer"),
    "books": ("author", "pages", "title"),
    "employees": ("department", "salary", "name"),
    "flights": ("airport", "delay_minutes", "number"),
    "plants": ("family", "height_cm", "species"),
    "matches": ("team", "goals", "stadium"),
    "tickets": ("status", "age_days", "owner"),
    "rooms": ("floor", "beds", "hotel"),
    "rides": ("line", "seconds", "driver"),
    "loans": ("branch", "amount", "borrower"),
}


def sql_query(w: Writer) -> Task:
    table = w.pick(list(_TABLES))
    group, number, name = _TABLES[table]
    limit, n = int(w.rng.integers(2, 90)) * 10, int(w.rng.integers(2, 12))
    way = int(w.rng.integers(4))
    if way == 0:
        return (
            w.pick(
                (
                    f"SQL: all {table} with {number} above {limit}, largest first.",
                    f"Select the {table} whose {number} is over {limit} and sort them downwards.",
                )
            ),
            "",
            f"SELECT * FROM {table} WHERE {number} > {limit} ORDER BY {number} DESC;",
        )
    if way == 1:
        return (
            w.pick(
                (
                    f"Write a query for the average {number} per {group} in {table}.",
                    f"How do I get the mean {number} for every {group} from the table {table}?",
                )
            ),
            "",
            f"SELECT {group}, AVG({number}) AS mean_{number}\nFROM {table}\nGROUP BY {group};",
        )
    if way == 2:
        return (
            w.pick(
                (
                    f"Which SQL gives the top {n} {name}s by {number} from {table}?",
                    f"Query the {n} rows of {table} with the highest {number}, only {name} and {number}.",
                )
            ),
            "",
            f"SELECT {name}, {number} FROM {table} ORDER BY {number} DESC LIMIT {n};",
        )
    return (
        w.pick(
            (
                f"Count the {table} per {group}, but only groups with at least {n}.",
                f"SQL to find each {group} with {n} or more {table}",
            )
        ),
        "",
        f"SELECT {group}, COUNT(*) AS n\nFROM {table}\nGROUP BY {group}\nHAVING COUNT(*) >= {n};",
    )


# Columns of a small table: heading and what stands below it.
_COLUMNS = (
    ("job", "{job}"),
    ("town", "{town}"),
    ("pet", "{animal}"),
    ("since", "{month}"),
    ("shift", "{day}"),
    ("seat", "{1-60}"),
    ("gift", "{thing}"),
    ("surname", "{surname}"),
)


def _records(w: Writer) -> list[dict[str, str]]:
    keys = [("name", "{person}"), ("age", "{19-79}"), *w.sample(_COLUMNS, w.pick((1, 2, 2)))]
    keys = w.sample(keys, len(keys))
    return [{key: w.write(template) for key, template in keys} for _ in range(w.pick((2, 2, 3)))]


def reformat(w: Writer) -> Task:
    records = _records(w)
    keys = list(records[0])
    table = "\n".join([",".join(keys), *(",".join(record.values()) for record in records)])
    way = int(w.rng.integers(3))
    if way == 0:
        by_name = {record["name"]: {k: v for k, v in record.items() if k != "name"} for record in records}
        ask, answer = w.pick(
            (
                ("Convert this CSV to JSON.", json.dumps(records, ensure_ascii=False)),
                ("CSV to JSON with line breaks, please:", json.dumps(records, ensure_ascii=False, indent=1)),
                ("Turn the table into a JSON object by name.", json.dumps(by_name, ensure_ascii=False)),
                ("One JSON object a line, from this table.", "\n".join(json.dumps(r) for r in records)),
                (
                    "I need these rows as YAML.",
                    "\n".join("- " + "\n  ".join(f"{k}: {v}" for k, v in r.items()) for r in records),
                ),
            )
        )
        return ask, table, answer
    if way == 1:
        ask = w.pick(
            (
                "Format the data as a Markdown table.",
                "Make a table with bars from this.",
                "Show this CSV in Markdown.",
                "I want to paste it into a readme. Reformat.",
            )
        )
        head = f"| {' | '.join(keys)} |\n|{'---|' * len(keys)}"
        return ask, table, "\n".join([head, *(f"| {' | '.join(record.values())} |" for record in records)])
    oldest = max(records, key=lambda record: int(record["age"]))
    ask = w.pick(
        (
            "Who is the oldest person in this list?",
            "From the JSON, name the oldest and the age.",
            "Read the records and tell me who is oldest.",
        )
    )
    answer = w.pick(("{name} is the oldest at {age}.", "{name}, aged {age}.", "The oldest is {name} ({age})."))
    return ask, json.dumps(records, ensure_ascii=False), answer.format(**oldest)


def shell(w: Writer) -> Task:
    what, command, note = w.pick(w.table("shell"))
    values = {
        "file": w.pick(("notes.txt", "app.log", "build.sh", "names.csv", "run.py", "todo.md", "access.log")),
        "folder": w.pick(("photos", "src", "backup", "letters", "music", "reports")),
        "other": w.pick(("/mnt/disk", "archive", "old.txt", "~/copy", "/tmp/try")),
        "n": str(int(w.rng.integers(3, 400))),
        "port": str(int(w.rng.integers(1030, 9999))),
    }
    what, command = what.format(**values), command.format(**values)
    ask = w.pick(
        (
            f"Which command do I use to {what}?",
            f"How can I {what} in the terminal?",
            f"Linux: {what}",
            f"Give me a one-liner to {what}.",
            f"On the command line I want to {what}.",
        )
    )
    return ask, "", w.pick((f"`{command}`", f"{command}\n({note})", f"Use `{command}`; {note}.", f"$ {command}"))


def find_bug(w: Writer) -> Task:
    code, why, fixed = w.pick(w.table("bugs"))
    one = w.pick(("price", "score", "goal", "step", "word", "height", "day", "user", "coin", "page"))
    values = {"one": one, "items": plural(one), "n": str(int(w.rng.integers(3, 99)))}
    ask = w.pick(
        (
            "What is wrong with this code?",
            "Find the bug.",
            "Why does this not work?",
            "Debug the snippet and show a fixed version.",
            "Fix this Python code:",
        )
    )
    answer = w.pick((f"Problem: {why}.\n\n{fixed}", f"{fixed}\n\nReason: {why}.", f"Here {why}. Better:\n\n{fixed}"))
    return ask, code.format(**values), answer.format(**values)


FAMILIES = (python_function, python_function, sql_query, sql_query, reformat, reformat, shell, find_bug)
