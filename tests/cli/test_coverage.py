"""``coverage``: what the agents of a store have done, as text, as JSON and as a picture."""

from __future__ import annotations

from tests.support.shop import Shop


def seeded(shop: Shop) -> None:
    for name, answer in (("one", "approve"), ("two", "approve"), ("three", "reject"), ("four", None)):
        shop.order(name)
        if answer:
            assert shop("answer", name, "--event", answer, *(["dear"] if answer == "reject" else [])).code in (0, 3)


def test_every_transition_is_told_with_how_often_it_was_taken(shop: Shop) -> None:
    seeded(shop)
    told = shop("coverage", "workflows/order.yaml", "--json").json
    (order,) = told["workflows"]
    taken = {(each["in"], each["event"]): each["taken"] for each in order["transitions"]}
    assert taken == {
        ("new", "ordered"): 4,
        ("asking", "approve"): 2,
        ("asking", "reject"): 1,
        ("asking", "after 3d"): 0,
        ("packing", "packed"): 2,
        ("packing", "error"): 0,
    }
    assert (order["agents"], order["transitions_taken"], order["transitions_declared"]) == (4, 4, 6)
    states = {each["path"]: (each["visits"], each["here"]) for each in order["states"]}
    assert states["asking"] == (4, 1)
    assert states["lapsed"] == (0, 0)
    text = shop("coverage").out
    assert "4 of 6 taken" in text
    assert [line.split() for line in text.splitlines() if "after 3d" in line] == [
        ["asking", "after", "3d", "lapsed", "never"]
    ]


def test_heat_is_drawn_in_any_format(shop: Shop) -> None:
    seeded(shop)
    assert "wrote heat.svg" in shop("coverage", "-o", "heat.svg").err
    assert "4 agents, 4 of 6 transitions taken" in (shop.folder / "heat.svg").read_text(encoding="utf-8")
    assert shop("coverage", "--out-dir", "heat", "--format", "mermaid").code == 0
    assert "4\N{MULTIPLICATION SIGN}" in (shop.folder / "heat" / "order.mmd").read_text(encoding="utf-8")


def test_a_format_without_a_file_is_refused(shop: Shop) -> None:
    refused = shop("coverage", "--format", "svg")
    assert (refused.code, refused.out) == (2, "")
    assert "--format says what to draw, and needs -o or --out-dir" in refused.err


def test_agents_of_other_definitions_are_counted_apart_and_named(shop: Shop) -> None:
    seeded(shop)
    newer = (shop.folder / "workflows/order.yaml").read_text(encoding="utf-8").replace("version: 1", "version: 2")
    shop.write("workflows/order.yaml", newer)
    shop.order("five")
    told = shop("coverage", "workflows/order.yaml", "--json").json
    assert ([each["agents"] for each in told["workflows"]], told["others"]) == ([1], 4)
    assert "4 agents of other definitions" in shop("coverage", "workflows/order.yaml").out
    assert sorted(each["agents"] for each in shop("coverage", "--json").json["workflows"]) == [1, 4]
    shop("coverage", "--out-dir", "heat", "--format", "dot")
    assert len(list((shop.folder / "heat").glob("order-*.dot"))) == 2


def test_an_empty_store_has_no_coverage_and_is_not_made(shop: Shop) -> None:
    assert "there are no agents" in shop("coverage").out
    assert not (shop.folder / "fsm-agent.db").exists()
    told = shop("coverage", "workflows/order.yaml", "--json").json
    assert [each["transitions_taken"] for each in told["workflows"]] == [0]


def test_a_workflow_that_nobody_has_is_said_by_an_empty_answer(shop: Shop) -> None:
    seeded(shop)
    assert shop("coverage", "--workflow", "nothing", "--json").json["workflows"] == []
