"""What a person sees in WeChat: bubbles and template cards."""

from typing import Any

from simulator.clock import beijing_ms
from simulator.state import Person, remember
from simulator.wechat_fields import Template
from simulator.world import World


def add_bubble(
    world: World, person: Person, *, side: str, kind: str, text: str, **more: Any
) -> dict[str, Any]:
    """Add a bubble; side is `person`, `account` or `system`."""
    with world.lock:
        entry = {
            "phone": person.phone,
            "at": beijing_ms(world.clock.time()),
            "account": "official",
            "side": side,
            "kind": kind,
            "text": text,
            **more,
        }
        world.changed()
        return remember(world.state.chat, entry)


def add_template_card(
    world: World,
    person: Person,
    template: Template,
    values: list[dict[str, str]],
    *,
    account: str,
    target: str,
    msgid: int,
) -> None:
    """Add a template or subscribe message as the person sees it."""
    add_bubble(
        world,
        person,
        side="account",
        kind="template",
        text=template.title,
        account=account,
        template_id=template.id,
        fields=values,
        target=target,
        msgid=str(msgid),
    )
