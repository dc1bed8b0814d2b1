"""Entra ID's error codes that mean the same whoever signs in: an application, a person, or this server for its people.

https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
"""

THROTTLED = (50196, 90055)
TEMPORARY = (90033, 90024, 90012, 50033, 90006, 90090, 50087, 50000, "temporarily_unavailable", "server_error")
CONDITIONAL_ACCESS = (53003, 53000, 53001, 53002, 53004, 530032, 530034)
INTERACTION_REQUIRED = (50076, 50079, 50074, 50072, 50078, 50158, "interaction_required", "login_required")
ADMIN_CONSENT = (90094, 90093, 90008, "consent_required")
ACCOUNT_OF_ANOTHER_TENANT = (50020, 50178, 51004, 90072, 50034)
APPLICATION_UNKNOWN = (700016, 7000229, 50194, 500213, 650052, 650056)
REDIRECT_UNKNOWN = (50011, 500112, 500113)
CODE_OF_ANOTHER_SIGN_IN = (501481, 50147, 501491, 50148)
TENANT_UNKNOWN = (90002, 900023, 50059)
