"""What to do about an app management policy, as commands that can be pasted.

https://learn.microsoft.com/entra/identity/enterprise-apps/configure-app-management-policies
"""

OWN_POLICY = (
    "give the application an app management policy of its own, which takes the place of the tenant's: "
    "`policy=$(az rest --method post --url {graph}/v1.0/policies/appManagementPolicies --headers "
    'Content-Type=application/json --body \'{{"displayName": "Credentials of {app_id}", "isEnabled": true, "restrictions": '
    '{{"{collection}": [{{"restrictionType": "{restriction}", "state": "disabled"}}]}}}}\' --query id --output tsv) && '
    "az rest --method post --url '{graph}/v1.0/applications/{object_id}/appManagementPolicies/$ref' --headers "
    'Content-Type=application/json --body "{{\\"@odata.id\\": \\"{graph}/v1.0/policies/appManagementPolicies/$policy\\"}}"`. '
    "It takes the role Security Administrator."
)
"""To be formatted with ``graph``, ``app_id``, ``object_id``, the ``collection`` of the policy and the ``restriction``."""


def own_policy(collection: str, restriction: str) -> str:
    """Return the same for one restriction, with the other names still to be filled in."""
    return OWN_POLICY.replace("{collection}", collection).replace("{restriction}", restriction)
