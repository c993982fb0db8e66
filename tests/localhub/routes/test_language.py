"""Properties of the language: text and tree, mistakes in words, bodies as Json.NET reads them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localhub.routes import Condition, RouteError, RoutingMessage, parse_route
from localhub.routes.dates import reads_as_date
from localhub.routes.jsonnet import NotJsonError, read_object
from localhub.routes.lexer import tokenize
from localhub.routes.numbers import parse_number
from localhub.routes.parser import parse
from localhub.routes.syntax import Binary, Call, Expression, Literal, Name, System, Unary, to_text

JSON_TYPE = {"contentType": "application/json", "contentEncoding": "utf-8"}

LEAVES: st.SearchStrategy[Expression] = st.one_of(
    st.sampled_from(["kind", "my-prop", "a.b", "a'b", "TRUE", "pre*"]).map(Name),
    st.sampled_from(["$messageId", "$body.a[0].b", "$x!"]).flatmap(
        lambda text: st.booleans().map(lambda escaped: System(text, escaped))
    ),
    st.sampled_from(
        [
            ("STRING", "'x'"),
            ("STRING", '"it\'s"'),
            ("STRING", r"'a\\b'"),
            ("INTEGER", "-3"),
            ("REAL", "1.5e-1"),
            ("HEX", "0x1F"),
            ("TRUE", "true"),
            ("NULL", "null"),
            ("UNDEFINED", "undefined"),
        ]
    ).map(lambda pair: Literal(*pair)),
)
OPERATORS = st.sampled_from(["??", "OR", "AND", "=", "!=", "<>", "<", "<=", ">", ">=", "+", "-", "||", "*", "/", "%"])
TREES: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Binary, OPERATORS, inner, inner),
        st.builds(Unary, st.sampled_from(["-", "NOT"]), inner),
        st.builds(Call, st.sampled_from(["concat", "as_number"]), st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=150, deadline=None)
def test_a_printed_tree_parses_to_the_same_tree(tree: Expression) -> None:
    assert parse(f"FROM /messages WHERE {to_text(tree)} INTO $upstream").tree == tree


@given(TREES, st.sampled_from(["/messages/*", "/*", "/messages/modules/m/outputs/o"]))
@settings(max_examples=50, deadline=None)
def test_a_printed_route_parses_to_an_equal_route(tree: Expression, source: str) -> None:
    route = parse_route(f'FROM {source} WHERE {to_text(tree)} INTO BrokeredEndpoint("/modules/m/inputs/i")')
    again = parse_route(str(route))
    assert (again.source, again.sink, again.parsed.tree) == (route.source, route.sink, route.parsed.tree)


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_cut_into_tokens_and_refused_in_words_or_evaluated(text: str) -> None:
    tokens = tokenize(text)
    assert all(text[token.start : token.end] == token.text for token in tokens)
    try:
        condition = Condition.compile(text)
    except RouteError as error:
        told = str(error)
    else:
        told = ""
        assert condition.evaluate(RoutingMessage()) in {True, False, None}
    assert not told or told.startswith("line ")


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_body_is_an_object_or_refused(body: bytes) -> None:
    try:
        value = read_object(b"{" + body, "utf-8")
    except NotJsonError:
        return
    assert isinstance(value, dict)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )
)
@settings(max_examples=100, deadline=None)
def test_the_lenient_reader_agrees_with_the_strict_one(value: object) -> None:
    strict = json.dumps({"value": value}).encode()
    lenient = strict[:-1] + b",}"
    assert read_object(strict, "utf-8") == read_object(lenient, "utf-8")


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("temp > 20", 6, "as_number(temp)"),
        ("flag = true", 6, "flag = 'true'"),
        ("unit = null", 6, "is_null(unit)"),
        ("NOT a = 'x'", 1, "NOT (a = 'x')"),
        ("a == 'x'", 4, "single ="),
        ("a = 'x' && b = 'y'", 9, "write AND"),
        ("as_number(n)-3 = 2", 13, "space between"),
        ("2+3 = 5", 5, "put spaces round operators"),
        ("prio LIKE 'h%'", 6, "contains"),
        ("prio = 'high", 8, "never closed"),
        (r"path = 'C:\temp'", 8, "backslash"),
        ("foo(prio)", 1, "there is no function 'foo'"),
        ("a = 'x' AND $body.flag", 13, "$body.flag = true"),
        ("$body.list[*].v = 1", 1, "no path into the body"),
        ("from = '1'", 1, "keyword"),
        ("concat(prio, 5) = 'x'", 1, "concat() takes"),
        ("(a = 'x'", 9, "found the end of the text; a '(' before is never closed"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_a_remedy(text: str, column: int, said: str) -> None:
    with pytest.raises(RouteError) as mistake:
        Condition.compile(text)
    assert said in str(mistake.value)
    assert (mistake.value.line, mistake.value.column) == (1, column)


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("FROM /messages/ INTO $upstream", "does not end with '/'"),
        ("FROM /messages/modules/e1/outputs/o INTO $upstream", "read as a number"),
        ("FROM /messages/modules/m/outputs/and INTO $upstream", "keyword"),
        ("FROM /messages/* INTO upstream", "write $upstream"),
        ("FROM /messages/* INTO $cloud", "write $upstream"),
        ('FROM /messages/* INTO BrokeredEndpoint("/modules/a")', "/modules/MODULE/inputs/INPUT"),
        ('FROM /messages/* WHERE path = "a*/b" INTO $upstream', "opens a comment"),
        ("FROM /messages/* WHERE a = 'b'", "INTO"),
    ],
)
def test_a_refused_route_is_told_with_a_remedy(route: str, said: str) -> None:
    with pytest.raises(RouteError) as mistake:
        parse_route(route)
    assert said in str(mistake.value)


@pytest.mark.parametrize(
    "body",
    [
        b"{'rpm': 120}",
        b"{rpm: 120,}",
        b'{"rpm": 0x78}',
        b'{"rpm": 0170}',
        b'/* c */ {"rpm": 1, // once\n "rpm": 120} // end',
        b'{"other": [1,,2], "x":, "rpm": 120.}',
        b'{"line\n": "a\tb", "rpm": 1.2e2}',
    ],
)
def test_bodies_json_net_reads(body: bytes) -> None:
    condition = Condition.compile("$body.rpm = 120")
    assert condition.evaluate(RoutingMessage(system=JSON_TYPE, body=body)) is True


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[1]",
        b"5",
        b'\xef\xbb\xbf{"rpm": 120}',
        b'{"rpm": 120} x',
        b'{"rpm" 120}',
        b'{"rpm": 120',
        b'{"rpm": 120 "x": 1}',
        b'{"rpm": truely}',
        b'{"rpm": "\\x"}',
        b'{"rpm": 120, "deep": ' + b"[" * 64 + b"]" * 64 + b"}",
    ],
)
def test_bodies_json_net_refuses(body: bytes) -> None:
    condition = Condition.compile("is_defined($body.rpm)")
    message = RoutingMessage(system=JSON_TYPE, body=body)
    assert condition.evaluate(message) is False
    assert "no JSON object" in condition.explain(message).why


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("$body.missing > 100", True),
        ("is_number($body.missing) AND $body.missing > 100", False),
        ("is_null($body.missing)", False),
        ("is_null($body.nil)", True),
        ("$body.many.* = 1", None),
        ("$body.one.* = 1", True),
        ("$body.deep[0][1] = 2", True),
        ("$body.deep[0][*] = 2", None),
        ("$body.deep[0]['x'] = null", True),
        ("$body.deep[99999999999] = null", None),
        ("$body.nan < 5", True),
        ("$body.nan = $body.nan", True),
        ("is_number($body.nan)", False),
        ("length($body.face) = 2", True),
        ("substring($body.face, 0, 1) = '\\ud83d'", True),
        ("$body.face < '\\uffff'", True),
        ("upper($body.street) = 'STRAßE'", True),
        ("$body.huge > 1", True),
        ("$body.true OR missing = 'x'", None),
        ("$body.when = '2024-05-01T10:00:00Z'", None),
        ("$body.day = '2024-05-01'", True),
    ],
)
def test_body_values(condition: str, expected: bool | None) -> None:
    body = (
        '{"nil":null,"many":{"a":1,"b":1},"one":{"a":1},"deep":[[1,2]],"nan":NaN,"face":"😀","street":"straße",'
        '"huge":1e400,"true":true,"when":"2024-05-01T10:00:00Z","day":"2024-05-01"}'
    )
    message = RoutingMessage(system=JSON_TYPE, body=body.encode())
    assert Condition.compile(condition).evaluate(message) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" 5 ", 5),
        ("5-", -5),
        ("(5)", -5),
        ("5,0,0", 500),
        ("1e400", float("inf")),
        ("- 5", None),
        ("5.", 5),
        (",5", None),
    ],
)
def test_numbers_in_text(text: str, expected: float | None) -> None:
    assert parse_number(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01T10:00:00", True),
        ("2024-05-01T10:00:00.123+02:00", True),
        ("2024-05-01T24:00:00Z", True),
        ("2024-05-01T24:00:00.5Z", False),
        ("2024-02-30T10:00:00Z", False),
        ("2024-05-01 10:00:00Z", False),
        ("2024-05-01T10:00Z", False),
        ("/Date(1198908717056)/", True),
    ],
)
def test_dates(text: str, expected: bool) -> None:
    assert reads_as_date(text) is expected


def test_a_chain_of_a_thousand_terms_compiles_and_evaluates() -> None:
    text = " OR ".join(f"kind = 'k{number}'" for number in range(1000))
    condition = Condition.compile(text)
    assert condition.evaluate(RoutingMessage(properties={"KIND": "k999"})) is True
    assert to_text(condition.tree) == text


@pytest.mark.parametrize("opening", ["(", "NOT ", "abs(", "- "])
def test_absurd_nesting_is_refused_in_words(opening: str) -> None:
    closing = ")" if "(" in opening else ""
    with pytest.raises(RouteError, match="nested too deeply"):
        Condition.compile(opening * 5000 + "true" + closing * 5000)
