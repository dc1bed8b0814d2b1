"""The emulator's own page in a browser: live, usable with the keyboard, and accessible by the rules of axe."""

from playwright.sync_api import Browser, expect

from entra_emulator import Emulator, SystemClock
from entra_emulator.server.server import run_in_thread
from tests.browser.test_tour import faults


def test_the_page_of_the_emulator_is_live_and_works_by_keyboard(chromium: Browser) -> None:
    emulator = Emulator(SystemClock(), seed=3)
    with run_in_thread(emulator) as running, chromium.new_context(ignore_https_errors=True) as context:
        page, said = context.new_page(), list[str]()
        page.on("console", lambda message: said.append(message.text))
        page.goto(running.admin)
        page.get_by_role("button", name="Make the demo tenant").press("Enter")
        expect(page.get_by_role("heading", name="Keyturn connection")).to_be_visible()
        assert faults(page, "emulator") == []
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

        page.get_by_role("button", name="Token endpoint is down").press("Enter")
        switch = page.get_by_role("button", name="Token endpoint is down", pressed=True)
        switch.focus()
        page.get_by_text("Another application").press("Enter")
        page.get_by_label("Graph permissions").fill("typed and not sent")
        switch.focus()
        emulator.faults.clear()  # by somebody else: seen without a reload, with what was typed and the focus in place
        emulator.admin.create_application("de300000-0000-4000-8000-000000000001", "made meanwhile")
        off = page.get_by_role("button", name="Token endpoint is down", pressed=False)
        expect(off).to_be_focused()
        expect(page.get_by_role("heading", name="made meanwhile")).to_be_visible()
        expect(page.get_by_label("Graph permissions")).to_have_value("typed and not sent")
        assert said == []
