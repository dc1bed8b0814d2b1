"""How a secret is answered."""

from collections.abc import Sequence

from keyturn.api.secrets.schemas import (
    HIDDEN,
    ImportShown,
    MakerShown,
    MetadataShown,
    SecretAnswer,
    SecretListAnswer,
    SecretShown,
    SecretVersion,
    SecretVersions,
    TagOfSecret,
)
from keyturn.kit.clock import iso
from keyturn.secrets.domain import Secret, SecretList, Version


def answer(secret: Secret) -> SecretAnswer:
    return SecretAnswer(secret_view(secret))


def listed(result: SecretList) -> SecretListAnswer:
    imports = [
        ImportShown(
            each.place.path, each.place.environment, each.folder_id, [secret_view(secret) for secret in each.secrets]
        )
        for each in result.imports
    ]
    return SecretListAnswer([secret_view(secret) for secret in result.secrets], imports)


def secret_view(secret: Secret) -> SecretShown:
    stored, place, details = secret.stored, secret.place, secret.details
    return SecretShown(
        id=stored.id,
        same_id=stored.id,
        workspace=place.project_id,
        environment=place.environment,
        version=stored.version,
        type=stored.type,
        secret_key=stored.name,
        secret_value=HIDDEN if secret.value is None else secret.value.reveal(),
        secret_value_hidden=secret.value is None,
        secret_comment=details.comment,
        secret_path=place.path,
        skip_multiline_encoding=stored.skip_multiline_encoding,
        secret_reminder_note=details.reminder_note,
        secret_reminder_repeat_days=details.reminder_days,
        secret_metadata=[MetadataShown(entry.key, entry.value, entry.encrypted) for entry in details.metadata],
        tags=[TagOfSecret(tag.id, tag.slug, tag.name, tag.color) for tag in secret.tags],
        actor=MakerShown(stored.maker.id, stored.maker.kind, stored.maker.name),
        is_rotated_secret=stored.secret_rotation_id is not None,
        rotation_id=stored.secret_rotation_id,
        created_at=iso(stored.created_at),
        updated_at=iso(stored.updated_at),
    )


def history(versions: Sequence[Version]) -> SecretVersions:
    return SecretVersions(
        [
            SecretVersion(
                each.number,
                each.name,
                MakerShown(each.maker.id, each.maker.kind, each.maker.name),
                each.current,
                iso(each.created_at),
            )
            for each in versions
        ]
    )
