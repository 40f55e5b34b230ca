"""The vendor's SDK, unmodified, against a server: `steps.py <base URL> <key>`.

Each line of standard input names a step and its arguments; each line of output is what it came to,
or how it failed. A step asserts what a program written for the vendor would rely on.
"""

import json
import sys
import time
import traceback

import telnyx

BASE, KEY = sys.argv[1:3]
client = telnyx.Telnyx(base_url=BASE, api_key=KEY, max_retries=0)
profiles = client.messaging_profiles


def raises(kind, status, call):
    """The error that `call` must end with."""
    try:
        came = call()
    except kind as error:
        assert error.status_code == status, error
        assert error.body["errors"][0]["detail"], error.body
        return error
    raise AssertionError(f"{kind.__name__} was not raised; it gave {came!r}")


def create(**fields):
    made = profiles.create(**fields).data
    assert made.record_type == "messaging_profile" and made.created_at is not None, made
    return made.id


def keeps_what_it_is_given():
    made = profiles.create(
        name="Campaign é",
        whitelisted_destinations=["US", "IT"],
        daily_spend_limit="10.00",
        webhook_url="https://example.com/hook",
        features={"ai_opt_out_detection_enabled": True, "later": 1},
        extra_body={"colour": "blue"},
    ).data
    assert made.name == "Campaign é" and made.enabled is True, made
    assert made.daily_spend_limit == "10.00" and made.daily_spend_limit_enabled is False, made
    assert made.features.later == 1 and made.colour == "blue", made
    assert made.created_at.utcoffset().total_seconds() == 0, made
    assert profiles.retrieve(made.id).data == made

    changed = profiles.update(
        made.id, name="Renamed", webhook_url=None, daily_spend_limit_enabled=True
    ).data
    assert (changed.name, changed.webhook_url) == ("Renamed", None), changed
    assert changed.daily_spend_limit_enabled is True, changed
    assert changed.whitelisted_destinations == ["US", "IT"] and changed.colour == "blue", changed
    assert changed.created_at == made.created_at and changed.updated_at > made.updated_at, changed
    assert profiles.retrieve(made.id).data == changed

    assert profiles.delete(made.id).data == changed
    raises(telnyx.NotFoundError, 404, lambda: profiles.retrieve(made.id))
    raises(telnyx.NotFoundError, 404, lambda: profiles.update(made.id, name="x"))
    raises(telnyx.NotFoundError, 404, lambda: profiles.delete(made.id))


def turns_pages():
    made = [create(name=f"Page {n}", whitelisted_destinations=["*"]) for n in range(7)]
    assert [it.id for it in profiles.list()] == made
    for size in (1, 2, 3, 7, 8):
        first = profiles.list(page_size=size)
        assert first.meta.total_pages == -(-7 // size) and len(first.data) == min(size, 7), first
        assert [it.id for it in first] == made, size
    third = profiles.list(page_size=3, page_number=3)
    assert [it.id for it in third.data] == made[6:] and not third.has_next_page(), third
    assert [it.id for it in profiles.list(filter={"name": "Page 3"})] == [made[3]]
    assert [it.id for it in profiles.list(filter_name_eq="Page 4")] == [made[4]]
    assert [it.id for it in profiles.list(filter_name_contains="page", page_size=2)] == made
    assert list(profiles.list(filter_name_eq="page 4")) == []
    for profile_id in made:
        profiles.delete(profile_id)
    assert profiles.list().data == []


def refusals_raise():
    stranger = telnyx.Telnyx(base_url=BASE, api_key=KEY + "x", max_retries=0)
    raises(telnyx.AuthenticationError, 401, stranger.messaging_profiles.list)
    raises(telnyx.NotFoundError, 404, lambda: profiles.retrieve("no-such-profile"))
    for fields in (
        {"daily_spend_limit": "0"},
        {"daily_spend_limit": "1e3"},
        {"daily_spend_limit": 10},
        {"daily_spend_limit_enabled": True},
        {"webhook_url": "not a URL"},
    ):
        error = raises(
            telnyx.UnprocessableEntityError,
            422,
            lambda: profiles.create(name="p", whitelisted_destinations=["*"], **fields),
        )
        pointer = error.body["errors"][0]["source"]["pointer"]
        assert pointer.strip("/") in fields, (fields, pointer)
    raises(telnyx.UnprocessableEntityError, 422, lambda: profiles.list(page_size=251))
    assert profiles.list().data == []


def update(profile_id, **fields):
    profile = profiles.update(profile_id, **fields).data
    for name, value in fields.items():
        assert getattr(profile, name) == value, (name, profile)
    return spend(profile_id)


def spend(profile_id):
    return client.get(f"/messaging_profiles/{profile_id}/spend", cast_to=object)["data"]


def send(profile_id):
    return client.messages.send(
        from_="+15550001", to="+393331234567", text="hi", messaging_profile_id=profile_id
    )


def eventually(kind, status, call):
    """As `raises`; the gate may lag a little (T5)."""
    give_up = time.monotonic() + 10
    while True:
        try:
            return raises(kind, status, call)
        except (telnyx.APIStatusError, AssertionError):
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)


def send_goes_on(profile_id):
    """The gate lets it go; where the suite runs there is no upstream behind it."""
    error = eventually(telnyx.InternalServerError, 501, lambda: send(profile_id))
    assert "upstream" in error.body["errors"][0]["detail"], error.body


def send_is_refused(profile_id):
    """T3, to the letter."""
    error = eventually(telnyx.RateLimitError, 429, lambda: send(profile_id))
    assert error.body == {
        "errors": [
            {
                "code": "40333",
                "title": "Messaging profile spend limit reached",
                "detail": "The daily spend limit configured on this messaging profile has been"
                " reached",
                "meta": {"url": "https://developers.telnyx.com/docs/overview/errors/40333"},
            }
        ]
    }, error.body
    assert 1 <= int(error.response.headers["retry-after"]) <= 86_400, error.response.headers
    assert error.response.headers["x-should-retry"] == "false", error.response.headers


STEPS = {
    step.__name__: step
    for step in (
        create,
        keeps_what_it_is_given,
        turns_pages,
        refusals_raise,
        update,
        spend,
        send_goes_on,
        send_is_refused,
    )
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = {"came": STEPS[asked["step"]](**asked["with"])}
    except Exception:
        said = {"failed": traceback.format_exc()}
    print(json.dumps(said), flush=True)
