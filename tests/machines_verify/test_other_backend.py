"""One variable sends the questions to another model server, and taking it back brings the own model back."""

from __future__ import annotations

import json

from tests.emulators.model_server import PIECES, ModelServer, make_model_app
from tests.emulators.server import Server
from tests.machines_verify.cutting_server import controller_address
from tests.machines_verify.machine_access import on_machine
from tests.machines_verify.served_model import INVENTORY, says
from tests.machines_verify.site_run import run_site

PLAYBOOK = "playbooks/assistant.yml"


def test_to_another_server_and_back() -> None:
    state = ModelServer()
    with Server(make_model_app(state), "0.0.0.0", 0) as server:
        url = f"http://{controller_address(INVENTORY)}:{server.port}/v1"
        values = {"assistant_backend_url": url, "assistant_backend_api_key": state.key}
        there = run_site(INVENTORY, "-e", json.dumps(values), playbook=PLAYBOOK)
        assert there.status == 0, there.output[-3000:]
        assert says("Hello there", max_tokens=8) == "".join(PIECES)
        assert state.asked[-1]["messages"][-1] == {"role": "user", "content": "Hello there"}
        shown = on_machine("docker inspect ai-core")
        assert url in shown
        assert state.key not in shown, "a key is a secret file"
        assert "/models" not in json.dumps(json.loads(shown)[0]["Mounts"])
        asked = len(state.asked)
        back = run_site(INVENTORY, playbook=PLAYBOOK)
        assert back.status == 0, back.output[-3000:]
        assert says("Hello there", max_tokens=8) != "".join(PIECES)
        assert len(state.asked) == asked
    assert on_machine("ls /etc/ai-assistant/secrets").split().count("backend_api_key") == 0
