"""What a router may not say: such faults are found when it is built, not by the first caller."""

from datetime import datetime

import pytest

from keyturn.kit.actor import Actor
from keyturn.kit.secret import Plaintext
from keyturn.web import pages
from keyturn.web.pages import FormState, Page
from keyturn.web.routes import get, post
from keyturn.web.schema.validate import Uuid
from keyturn.web.schema.wire import ApiModel, encode


class Good(ApiModel):
    ok: bool


class WithMoment(ApiModel):
    items: list[dict[str, datetime | None]]


class Inner(ApiModel):
    price: float


class WithFloat(ApiModel):
    inner: Inner | None


def test_a_route_without_a_caller_must_be_declared_public() -> None:
    def show() -> Good:
        return Good(True)

    with pytest.raises(TypeError, match="public"):
        get("/x")(show)


def test_a_public_route_has_no_caller() -> None:
    def show(actor: Actor) -> Good:
        return Good(True)

    with pytest.raises(TypeError, match="public"):
        get("/x", public=True)(show)


def test_path_and_parameters_must_agree() -> None:
    def show(actor: Actor, thing_id: Uuid) -> Good:
        return Good(True)

    with pytest.raises(TypeError, match="thing_id"):
        get("/x/{other}")(show)


def test_a_page_has_a_caller_or_is_public_and_takes_what_its_path_has() -> None:
    def show(actor: Actor, thing_id: str, form_state: FormState) -> Page:
        return Page()

    with pytest.raises(TypeError, match="public"):
        pages.get("/x/{thing_id}", public=True)(show)
    with pytest.raises(TypeError, match="thing_id"):
        pages.get("/x/{other}")(show)


def test_json_and_pages_take_no_body_of_each_other() -> None:
    def take(actor: Actor, data: Good) -> Page:
        return Page()

    def answer(actor: Actor, form: Good) -> Good:
        return form

    with pytest.raises(TypeError, match="data"):
        pages.post("/x")(take)
    with pytest.raises(TypeError, match="form"):
        post("/x")(answer)


@pytest.mark.parametrize("kind", [WithMoment, WithFloat, list[datetime], Plaintext])
def test_answers_hold_no_moments_floats_or_secrets(kind: type) -> None:
    def show(actor: Actor):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return None

    for answer in (kind, kind, list[kind]):  # type: ignore[valid-type] # what was refused once is refused again, and elsewhere
        show.__annotations__["return"] = answer
        with pytest.raises(TypeError, match="holds"):
            get("/x")(show)


def test_a_secret_that_slips_into_an_answer_is_not_sent() -> None:
    with pytest.raises(TypeError, match="Plaintext"):
        encode({"value": Plaintext("hunter2")})
