"""A deletion leads to the page of what becomes of the credentials; the list leads there, too, for whoever may see it."""

from tests.system.estate import RunningServer
from tests.system.test_shared_on_pages import page, send


def test_a_deletion_leads_to_its_removal_and_the_list_to_it(whole: RunningServer) -> None:
    whole.remember()
    try:
        connection_id, project_id = whole.things["connection_id"], whole.things["project_id"]
        gone = send(whole, f"/app-connections/{connection_id}/delete", confirm="inner-secret-lake", secrets="all")
        assert gone.status_code == 303
        path = gone.headers["location"]
        assert path.startswith("/removals/")
        text = page(whole, path)
        assert "Removal of inner-secret-lake" in text
        assert "The removal goes on." in text
        assert f'data-live="{path}/events"' in text
        listed = page(whole, f"/projects/{project_id}/integrations/app-connections")
        assert "Removals under way" in listed
        assert f'href="{path}">inner-secret-lake</a>' in listed
        assert "Removals under way" not in page(whole, "/organization/app-connections"), "it was not one of these"
        for name, status in (("viewer", 200), ("passer", 403), ("stranger", 404)):
            caller = whole.callers.get(name)
            if caller:
                assert whole.client.get(path, headers=dict(caller.headers)).status_code == status, name
    finally:
        whole.put_back()
