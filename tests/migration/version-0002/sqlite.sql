BEGIN TRANSACTION;
CREATE TABLE access_tokens (
	id VARCHAR(36) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	identity_id VARCHAR(36), 
	user_id VARCHAR(36), 
	client_secret_id VARCHAR(36), 
	ttl INTEGER DEFAULT '0' NOT NULL, 
	uses INTEGER DEFAULT '0' NOT NULL, 
	uses_limit INTEGER DEFAULT '0' NOT NULL, 
	expires_at DATETIME, 
	renewable_until DATETIME, 
	revoked_at DATETIME, 
	last_used_at DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_access_tokens PRIMARY KEY (id), 
	CONSTRAINT fk_access_tokens_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id) ON DELETE CASCADE, 
	CONSTRAINT fk_access_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_access_tokens_digest UNIQUE (digest)
);
INSERT INTO "access_tokens" VALUES('007bf66a-0bae-491c-a385-bcaed5dba396','71fc74272c6c459d255b65b4d2b4e0188a1af22214a170d4bdfcb2762e9cf9fb','7f5a487b-8045-47ae-ad38-1d6c95dd935f',NULL,NULL,0,1,0,NULL,NULL,NULL,'2026-11-30 13:08:09.247219','2026-11-30 13:08:09.017577');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE app_connections (
	id VARCHAR(36) NOT NULL, 
	org_id VARCHAR(36) NOT NULL, 
	project_id VARCHAR(36), 
	scope VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	description TEXT, 
	app TEXT NOT NULL, 
	method TEXT NOT NULL, 
	cloud TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	client_id TEXT NOT NULL, 
	secret TEXT NOT NULL, 
	secret_version INTEGER DEFAULT '1' NOT NULL, 
	credentials_hash TEXT NOT NULL, 
	version INTEGER DEFAULT '1' NOT NULL, 
	checked_at DATETIME, 
	check_result JSON, 
	ends_at DATETIME, 
	facts JSON, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_app_connections PRIMARY KEY (id), 
	CONSTRAINT fk_app_connections_org_id FOREIGN KEY(org_id) REFERENCES organizations (id), 
	CONSTRAINT fk_app_connections_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT uq_app_connections_scope_name UNIQUE (scope, name)
);
INSERT INTO "app_connections" VALUES('8a92000c-82da-4088-a9ce-75d9e1abb75e','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','billing',NULL,'azure-client-secrets','client-secret','global','cd613e30-d8f1-4adf-91b7-584a2265b1f5','78e51061-7311-48a3-82ce-6f447ed4d57b','k1.ps6sx7uv.0ORo5ig03Ow4fOgIX9-5NISV-YlkZ8ktPF9hqY9Ik5KVTFoqIZ1mXe5rBDl_rjP-a5LGNKQIJGYKmd75zWTqCO_qm_URQR0Kn-ADKAGkHGD3Dg5zlZLinvJOzQJclk4DgVIaXvNUME5GL_YauG6GY99zS6OY4GMNCtDhixDLab6QWIax85uiPsNO_RIEIqKTk02vlsM2XNyqLiK6rIOvWm2X9668jN3j5xosRg',4,'77041206e4ea31796d7f9e09ab276c80c607fc35021615f973dad12457dbb875',1,'2026-11-30 13:08:11.784609','{"ok": true}',NULL,'null','2026-11-30 13:08:11.784609','2026-11-30 13:08:15.963303');
INSERT INTO "app_connections" VALUES('a3458ab9-8443-4e56-8328-6aec77306694','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','still',NULL,'azure-client-secrets','client-secret','global','cd613e30-d8f1-4adf-91b7-584a2265b1f5','7fd63116-e1ea-44c4-b934-1c68966baea1','k1.ps6sx7uv.NxBKqiWI5NCss7jX4DJOEufc4UiYIYAHoSgXbqDcG0F4nPk1EE59adicXVEiJGkOrw8Uo34eA_8mLrnAk-TKDr373OstKDsIGk413oAZ2yw1_AOuORQp2exo4tkDcv3CdH41f-Dy-DLStN0ro0r8EJMRP3iBk-4DIfpod_cjeHuxzV46EAJAmXSiRwD9Q0mIIBpprYOps7585_GYiAi8TKyxNaLwdT_5LSaA3A',1,'beb2b1042be86b2ebae08358a7ea664c43d3caafe40f945f6865ab179bc641b6',1,'2026-11-30 13:08:16.136572','{"ok": true}',NULL,'null','2026-11-30 13:08:16.136572','2026-11-30 13:08:16.136572');
CREATE TABLE application_versions (
    version_id TEXT NOT NULL PRIMARY KEY,
    version_name TEXT NOT NULL UNIQUE,
    version_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL);
INSERT INTO "application_versions" VALUES('5d34ee36-8c08-4c91-a858-6413f1f56d30','1',1796044088000,1796044088000,'keyturn');
CREATE TABLE audit_events (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	org_id VARCHAR(36), 
	project_id VARCHAR(36), 
	actor_kind TEXT NOT NULL, 
	actor_id VARCHAR(36), 
	actor_name TEXT, 
	event TEXT NOT NULL, 
	subject_kind TEXT NOT NULL, 
	subject_id VARCHAR(36), 
	data JSON NOT NULL, 
	once TEXT, 
	request_id TEXT, 
	CONSTRAINT pk_audit_events PRIMARY KEY (id), 
	CONSTRAINT uq_audit_events_once UNIQUE (once)
);
INSERT INTO "audit_events" VALUES(1,'2026-11-30 13:08:08.990729','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','bootstrap-instance','organization','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','{"userId": "cadc1a32-30ec-44eb-b887-f36181a21ee9", "email": "ada@example.com", "identityId": "7f5a487b-8045-47ae-ad38-1d6c95dd935f"}','bootstrap',NULL);
INSERT INTO "audit_events" VALUES(2,'2026-11-30 13:08:09.264604','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','649a382a-3c03-4477-938d-6aaaa9ce060f','identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-project','project','649a382a-3c03-4477-938d-6aaaa9ce060f','{"name": "Payments", "slug": "payments"}',NULL,'req-5MPTNZlEzN4p7l');
INSERT INTO "audit_events" VALUES(3,'2026-11-30 13:08:09.495729','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-user','user','4e7782d4-3e62-40b1-b8f5-0bab32361ef3','{"email": "bob@example.com", "role": "member"}',NULL,'req-uJ1rGLLflmt2pK');
INSERT INTO "audit_events" VALUES(4,'2026-11-30 13:08:09.603542','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','649a382a-3c03-4477-938d-6aaaa9ce060f','identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','add-project-member','user','4e7782d4-3e62-40b1-b8f5-0bab32361ef3','{"projectId": "649a382a-3c03-4477-938d-6aaaa9ce060f", "name": "bob@example.com", "role": "viewer"}',NULL,'req-BDCqj0UaYncZCi');
INSERT INTO "audit_events" VALUES(5,'2026-11-30 13:08:09.658406','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-identity','identity','ec82f04e-9185-43df-bd77-497a566ce8cc','{"name": "deployer", "role": "member"}',NULL,'req-LrXLhJyguxyaX3');
INSERT INTO "audit_events" VALUES(6,'2026-11-30 13:08:09.811700','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','add-identity-universal-auth','identity','ec82f04e-9185-43df-bd77-497a566ce8cc','{}',NULL,'req-xGqsiA5sW0auWI');
INSERT INTO "audit_events" VALUES(7,'2026-11-30 13:08:10.096701','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-identity-universal-auth-client-secret','identity','ec82f04e-9185-43df-bd77-497a566ce8cc','{"clientSecretId": "c27e568d-8944-481d-a5e2-cb527cf4de72"}',NULL,'req-CbiorMwZelKNpf');
INSERT INTO "audit_events" VALUES(8,'2026-11-30 13:08:11.785760','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-app-connection','app-connection','8a92000c-82da-4088-a9ce-75d9e1abb75e','{"name": "billing", "app": "azure-client-secrets", "method": "client-secret", "credentialsUpdated": true}',NULL,'req-PF9FCBu21JI4Xu');
INSERT INTO "audit_events" VALUES(9,'2026-11-30 13:08:11.787308','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','rotation-enabled','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "adoptedKeyId": "9b810e76-6ec9-4286-a3ca-828dd5f4b3b2", "rotationInterval": 30, "rotateAt": "02:15", "timeZone": "UTC"}',NULL,'req-PF9FCBu21JI4Xu');
INSERT INTO "audit_events" VALUES(10,'2026-11-30 13:08:11.809527','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','rotation-run-requested','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "6290628f-49d4-41e4-9b44-c9397ce68a9d", "reason": "enabled"}',NULL,'req-PF9FCBu21JI4Xu');
INSERT INTO "audit_events" VALUES(11,'2026-11-30 13:08:11.959738','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','credential-issued','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "6290628f-49d4-41e4-9b44-c9397ce68a9d", "keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 lifbwumydw", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:11.000Z"}',NULL,NULL);
INSERT INTO "audit_events" VALUES(12,'2026-11-30 13:08:12.331870','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','rotation-run-succeeded','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "6290628f-49d4-41e4-9b44-c9397ce68a9d", "reason": "enabled", "published": {"keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 lifbwumydw", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:11.000Z"}}','run-end:6290628f-49d4-41e4-9b44-c9397ce68a9d',NULL);
INSERT INTO "audit_events" VALUES(13,'2026-11-30 13:08:12.690578','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','credential-revoked','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": null, "keyId": "9b810e76-6ec9-4286-a3ca-828dd5f4b3b2", "displayName": "secret 1", "hint": "vAb", "generation": 0, "endsAt": "2028-11-29T13:08:10.118Z"}','credential-revoked:fe141952-a063-437d-a934-f372b74cd3a2:2026-11-30T13:08:12.331870+00:00',NULL);
INSERT INTO "audit_events" VALUES(14,'2026-11-30 13:08:12.734720','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','rotation-run-requested','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "346eb80c-4084-4147-9366-8fff032abfe3", "reason": "manual"}',NULL,'req-L28vs5wuVrYfAe');
INSERT INTO "audit_events" VALUES(15,'2026-11-30 13:08:12.788086','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','credential-issued','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "346eb80c-4084-4147-9366-8fff032abfe3", "keyId": "63db01fc-aa7c-414b-b01d-bf291abb8ba3", "displayName": "keyturn billing g2 swuojkimth", "hint": "SeU", "generation": 2, "endsAt": "2027-02-01T13:08:12.000Z"}',NULL,NULL);
INSERT INTO "audit_events" VALUES(16,'2026-11-30 13:08:13.173687','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','rotation-run-succeeded','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "346eb80c-4084-4147-9366-8fff032abfe3", "reason": "manual", "published": {"keyId": "63db01fc-aa7c-414b-b01d-bf291abb8ba3", "displayName": "keyturn billing g2 swuojkimth", "hint": "SeU", "generation": 2, "endsAt": "2027-02-01T13:08:12.000Z"}}','run-end:346eb80c-4084-4147-9366-8fff032abfe3',NULL);
INSERT INTO "audit_events" VALUES(17,'2026-11-30 13:08:13.516619','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','credential-revoked','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "6290628f-49d4-41e4-9b44-c9397ce68a9d", "keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 lifbwumydw", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:11.000Z"}','credential-revoked:838df742-72be-4017-ac1c-6d9afef1f150:2026-11-30T13:08:13.173687+00:00',NULL);
INSERT INTO "audit_events" VALUES(18,'2026-11-30 13:08:13.526182','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','rotation-run-requested','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "92f37d3e-abba-4baa-a42a-4ca14a6dc83b", "reason": "manual"}',NULL,'req-bw64IafVyJUX7s');
INSERT INTO "audit_events" VALUES(19,'2026-11-30 13:08:15.709960','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','credential-issued','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "92f37d3e-abba-4baa-a42a-4ca14a6dc83b", "keyId": "06faadb1-0a24-4cff-9142-3286a6ecc31f", "displayName": "keyturn billing g3 krt2dum2uu", "hint": "A8S", "generation": 3, "endsAt": "2027-02-01T13:08:15.000Z"}',NULL,NULL);
INSERT INTO "audit_events" VALUES(20,'2026-11-30 13:08:15.963303','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'platform',NULL,'Keyturn','rotation-run-succeeded','rotation','e99bacf9-590d-47be-a0df-fc3ca0f6a763','{"connectionId": "8a92000c-82da-4088-a9ce-75d9e1abb75e", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "92f37d3e-abba-4baa-a42a-4ca14a6dc83b", "reason": "manual", "published": {"keyId": "06faadb1-0a24-4cff-9142-3286a6ecc31f", "displayName": "keyturn billing g3 krt2dum2uu", "hint": "A8S", "generation": 3, "endsAt": "2027-02-01T13:08:15.000Z"}}','run-end:92f37d3e-abba-4baa-a42a-4ca14a6dc83b',NULL);
INSERT INTO "audit_events" VALUES(21,'2026-11-30 13:08:16.137090','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'identity','7f5a487b-8045-47ae-ad38-1d6c95dd935f','Admin identity','create-app-connection','app-connection','a3458ab9-8443-4e56-8328-6aec77306694','{"name": "still", "app": "azure-client-secrets", "method": "client-secret", "credentialsUpdated": true}',NULL,'req-0dgnngCHtMakZ9');
CREATE TABLE client_secrets (
	id VARCHAR(36) NOT NULL, 
	universal_auth_id VARCHAR(36) NOT NULL, 
	description TEXT NOT NULL, 
	prefix VARCHAR(4) NOT NULL, 
	hash TEXT NOT NULL, 
	uses INTEGER DEFAULT '0' NOT NULL, 
	uses_limit INTEGER DEFAULT '0' NOT NULL, 
	ttl INTEGER DEFAULT '0' NOT NULL, 
	revoked BOOLEAN DEFAULT 0 NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_client_secrets PRIMARY KEY (id), 
	CONSTRAINT fk_client_secrets_universal_auth_id FOREIGN KEY(universal_auth_id) REFERENCES universal_auths (id) ON DELETE CASCADE
);
INSERT INTO "client_secrets" VALUES('c27e568d-8944-481d-a5e2-cb527cf4de72','daf6cc6e-4da4-48ae-bed4-c15d25137fa7','','qac5','$argon2id$v=19$m=19456,t=2,p=1$++wqCgqD0FQvud7lAoGxeQ$EGnX+9YfiSe3+cQXEHlyeArv92dWz9p6LoIQDZnx3nw',0,0,0,0,'2026-11-30 13:08:10.093193','2026-11-30 13:08:10.093193');
CREATE TABLE credentials (
	id VARCHAR(36) NOT NULL, 
	rotation_id VARCHAR(36) NOT NULL, 
	org_id TEXT NOT NULL, 
	object_id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36), 
	generation INTEGER DEFAULT '0' NOT NULL, 
	state TEXT NOT NULL, 
	adopted BOOLEAN DEFAULT 0 NOT NULL, 
	marker TEXT NOT NULL, 
	key_id VARCHAR(36), 
	hint TEXT, 
	value TEXT, 
	starts_at DATETIME, 
	ends_at DATETIME, 
	ask_token INTEGER DEFAULT '0' NOT NULL, 
	ask_unknown BOOLEAN DEFAULT 0 NOT NULL, 
	absences INTEGER DEFAULT '0' NOT NULL, 
	absent_at DATETIME, 
	proofs INTEGER DEFAULT '0' NOT NULL, 
	proof_tries INTEGER DEFAULT '0' NOT NULL, 
	proof_at DATETIME, 
	revoke_after DATETIME, 
	removed_at DATETIME, 
	retry_at DATETIME, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	planned_at DATETIME, 
	asked_at DATETIME, 
	issued_at DATETIME, 
	proven_at DATETIME, 
	published_at DATETIME, 
	retired_at DATETIME, 
	retired_by VARCHAR(36), 
	ended_at DATETIME, 
	note TEXT, 
	CONSTRAINT pk_credentials PRIMARY KEY (id), 
	CONSTRAINT fk_credentials_rotation_id FOREIGN KEY(rotation_id) REFERENCES rotations (id)
);
INSERT INTO "credentials" VALUES('fe141952-a063-437d-a934-f372b74cd3a2','e99bacf9-590d-47be-a0df-fc3ca0f6a763','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','1e2feb89-414c-443c-9027-c4d1c386bbc4',NULL,0,'revoked',1,'secret 1','9b810e76-6ec9-4286-a3ca-828dd5f4b3b2','vAb',NULL,'2026-11-30 13:08:10.118381','2028-11-29 13:08:10.118381',0,0,1,'2026-11-30 13:08:12.446092',0,0,NULL,'2026-11-30 13:08:12.331870','2026-11-30 13:08:12.424957',NULL,0,'2026-11-30 13:08:11.788597',NULL,NULL,NULL,'2026-11-30 13:08:11.788597','2026-11-30 13:08:12.331870','6290628f-49d4-41e4-9b44-c9397ce68a9d','2026-11-30 13:08:12.690578',NULL);
INSERT INTO "credentials" VALUES('838df742-72be-4017-ac1c-6d9afef1f150','e99bacf9-590d-47be-a0df-fc3ca0f6a763','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','1e2feb89-414c-443c-9027-c4d1c386bbc4','6290628f-49d4-41e4-9b44-c9397ce68a9d',1,'revoked',0,'keyturn billing g1 lifbwumydw','ee52bdb6-d102-4a15-99ed-17e3cc0e95ee','P0p',NULL,'2026-11-30 13:08:11.957631','2027-02-01 13:08:11.000000',2,0,1,'2026-11-30 13:08:13.297304',3,0,'2026-11-30 13:08:12.321947','2026-11-30 13:08:13.173687','2026-11-30 13:08:13.270839',NULL,0,'2026-11-30 13:08:11.911291','2026-11-30 13:08:11.937747','2026-11-30 13:08:11.959202','2026-11-30 13:08:12.321947','2026-11-30 13:08:12.331870','2026-11-30 13:08:13.173687','346eb80c-4084-4147-9366-8fff032abfe3','2026-11-30 13:08:13.516619',NULL);
INSERT INTO "credentials" VALUES('484929ad-8f7f-481e-8f23-93d95558d3f2','e99bacf9-590d-47be-a0df-fc3ca0f6a763','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','1e2feb89-414c-443c-9027-c4d1c386bbc4','346eb80c-4084-4147-9366-8fff032abfe3',2,'revoking',0,'keyturn billing g2 swuojkimth','63db01fc-aa7c-414b-b01d-bf291abb8ba3','SeU','k1.ps6sx7uv.AailqPPTw1zXfAGlFCJE0ljYcYPsCQEw4hN0CNVJSIVvSB4BM088vlxmoBKODks1AJd7rjl01K7FBzCRO0SSpjXN0uc','2026-11-30 13:08:12.786485','2027-02-01 13:08:12.000000',5,0,1,'2026-11-30 13:08:16.078948',3,0,'2026-11-30 13:08:13.162970','2026-11-30 13:08:15.963303','2026-11-30 13:08:16.065842',NULL,0,'2026-11-30 13:08:12.769486','2026-11-30 13:08:12.773520','2026-11-30 13:08:12.787918','2026-11-30 13:08:13.162970','2026-11-30 13:08:13.173687','2026-11-30 13:08:15.963303','92f37d3e-abba-4baa-a42a-4ca14a6dc83b',NULL,NULL);
INSERT INTO "credentials" VALUES('a0b07ad3-d239-48e7-b520-1ab43c29a797','e99bacf9-590d-47be-a0df-fc3ca0f6a763','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','1e2feb89-414c-443c-9027-c4d1c386bbc4','92f37d3e-abba-4baa-a42a-4ca14a6dc83b',3,'current',0,'keyturn billing g3 krt2dum2uu','06faadb1-0a24-4cff-9142-3286a6ecc31f','A8S','k1.ps6sx7uv.ZNHAilcURNt7WkQAQpevqo0W6vlFNhSQ-5aTIiFpCyXauTyHiNGESeVamYeuJG-n2uBAjSy3xZ_5-YnINK8PTEMH2Z4','2026-11-30 13:08:15.704859','2027-02-01 13:08:15.000000',9,0,0,NULL,3,0,'2026-11-30 13:08:15.958931',NULL,NULL,NULL,0,'2026-11-30 13:08:15.645817','2026-11-30 13:08:15.687354','2026-11-30 13:08:15.709867','2026-11-30 13:08:15.958931','2026-11-30 13:08:15.963303',NULL,NULL,NULL,NULL);
CREATE TABLE data_keys (
	id VARCHAR(36) NOT NULL, 
	root_key_id TEXT NOT NULL, 
	wrapped TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	retired_at DATETIME, 
	seals BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_data_keys PRIMARY KEY (id)
);
INSERT INTO "data_keys" VALUES('ps6sx7uv','5be879e8b479a050','QVzKJ37HtN8dJVYKAiXIMH_6lOy49wKIzX55onvCw5TvI5-7As4-zOvFrWI7BZ6dQ4sBB2sm54bVVFq9','2026-11-30 13:08:06.211549',NULL,0);
CREATE TABLE dbos_migrations (version INTEGER NOT NULL PRIMARY KEY);
INSERT INTO "dbos_migrations" VALUES(125);
CREATE TABLE environments (
	id VARCHAR(36) NOT NULL, 
	project_id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	position INTEGER DEFAULT '0' NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_environments PRIMARY KEY (id), 
	CONSTRAINT fk_environments_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT uq_environments_project_id_slug UNIQUE (project_id, slug)
);
INSERT INTO "environments" VALUES('89eaa9ff-e05e-4ab5-b9d0-1f150e427dd5','649a382a-3c03-4477-938d-6aaaa9ce060f','Development','dev',1,'2026-11-30 13:08:09.262341','2026-11-30 13:08:09.262341');
INSERT INTO "environments" VALUES('3f64900f-9fe4-4bea-bd1c-07f988c1833e','649a382a-3c03-4477-938d-6aaaa9ce060f','Staging','staging',2,'2026-11-30 13:08:09.262341','2026-11-30 13:08:09.262341');
INSERT INTO "environments" VALUES('c01b6c2e-6002-4e93-ba52-f1a361f86a99','649a382a-3c03-4477-938d-6aaaa9ce060f','Production','prod',3,'2026-11-30 13:08:09.262341','2026-11-30 13:08:09.262341');
CREATE TABLE identities (
	id VARCHAR(36) NOT NULL, 
	org_id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	has_delete_protection BOOLEAN DEFAULT 0 NOT NULL, 
	metadata JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_identities PRIMARY KEY (id), 
	CONSTRAINT fk_identities_org_id FOREIGN KEY(org_id) REFERENCES organizations (id)
);
INSERT INTO "identities" VALUES('7f5a487b-8045-47ae-ad38-1d6c95dd935f','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','Admin identity','admin',0,'[]','2026-11-30 13:08:08.990729','2026-11-30 13:08:08.990729');
INSERT INTO "identities" VALUES('ec82f04e-9185-43df-bd77-497a566ce8cc','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','deployer','member',0,'[]','2026-11-30 13:08:09.658048','2026-11-30 13:08:09.658048');
CREATE TABLE leases (
	object_id VARCHAR(80) NOT NULL, 
	holder TEXT, 
	token BIGINT NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (object_id)
);
INSERT INTO "leases" VALUES('1e2feb89-414c-443c-9027-c4d1c386bbc4',NULL,11,'2026-11-30 13:08:16.085060');
CREATE TABLE notifications (
    message_uuid TEXT NOT NULL DEFAULT (hex(randomblob(16))) PRIMARY KEY,
    destination_uuid TEXT NOT NULL,
    topic TEXT,
    message TEXT NOT NULL,
    created_at_epoch_ms INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000), "serialization" TEXT DEFAULT NULL, "consumed" BOOLEAN NOT NULL DEFAULT FALSE, consumed_by_function_id INTEGER,
    FOREIGN KEY (destination_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE oauth_flows (
	id VARCHAR(36) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	binding TEXT NOT NULL, 
	actor_kind TEXT NOT NULL, 
	actor_id TEXT NOT NULL, 
	org_id VARCHAR(36) NOT NULL, 
	payload TEXT, 
	expires_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_oauth_flows PRIMARY KEY (id), 
	CONSTRAINT fk_oauth_flows_org_id FOREIGN KEY(org_id) REFERENCES organizations (id), 
	CONSTRAINT uq_oauth_flows_digest UNIQUE (digest)
);
CREATE TABLE oauth_tokens (
	connection_id VARCHAR(36) NOT NULL, 
	refresh_token TEXT NOT NULL, 
	refresh_token_version INTEGER DEFAULT '1' NOT NULL, 
	refreshed_at DATETIME NOT NULL, 
	refresh_due_at DATETIME, 
	CONSTRAINT pk_oauth_tokens PRIMARY KEY (connection_id), 
	CONSTRAINT fk_oauth_tokens_connection_id FOREIGN KEY(connection_id) REFERENCES app_connections (id) ON DELETE CASCADE
);
CREATE TABLE observed_keys (
	id VARCHAR(36) NOT NULL, 
	rotation_id VARCHAR(36) NOT NULL, 
	key_id VARCHAR(36) NOT NULL, 
	name TEXT, 
	hint TEXT, 
	starts_at DATETIME, 
	ends_at DATETIME, 
	ours BOOLEAN DEFAULT 0 NOT NULL, 
	first_seen_at DATETIME NOT NULL, 
	gone_at DATETIME, 
	CONSTRAINT pk_observed_keys PRIMARY KEY (id), 
	CONSTRAINT fk_observed_keys_rotation_id FOREIGN KEY(rotation_id) REFERENCES rotations (id) ON DELETE CASCADE, 
	CONSTRAINT uq_observed_keys_rotation_id_key_id UNIQUE (rotation_id, key_id)
);
INSERT INTO "observed_keys" VALUES('ca257260-7699-4cfb-a38b-8c2009c309e4','e99bacf9-590d-47be-a0df-fc3ca0f6a763','9b810e76-6ec9-4286-a3ca-828dd5f4b3b2','secret 1','vAb','2026-11-30 13:08:10.118381','2028-11-29 13:08:10.118381',1,'2026-11-30 13:08:11.885652','2026-11-30 13:08:12.766412');
INSERT INTO "observed_keys" VALUES('5918a213-f529-4c90-bab3-12440e3eb21a','e99bacf9-590d-47be-a0df-fc3ca0f6a763','ee52bdb6-d102-4a15-99ed-17e3cc0e95ee','keyturn billing g1 lifbwumydw','P0p','2026-11-30 13:08:11.957631','2027-02-01 13:08:11.000000',1,'2026-11-30 13:08:12.765648','2026-11-30 13:08:15.638731');
INSERT INTO "observed_keys" VALUES('b791ba3b-5da3-4e1b-a42b-f7fbeed4336d','e99bacf9-590d-47be-a0df-fc3ca0f6a763','63db01fc-aa7c-414b-b01d-bf291abb8ba3','keyturn billing g2 swuojkimth','SeU','2026-11-30 13:08:12.786485','2027-02-01 13:08:12.000000',1,'2026-11-30 13:08:15.638014',NULL);
CREATE TABLE "operation_outputs" (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    function_name TEXT NOT NULL DEFAULT '',
    output TEXT,
    error TEXT,
    child_workflow_id TEXT,
    started_at_epoch_ms INTEGER,
    completed_at_epoch_ms INTEGER,
    serialization TEXT,
    application_name TEXT DEFAULT NULL,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    PRIMARY KEY (workflow_uuid, function_id)
);
CREATE TABLE organizations (
	id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_organizations PRIMARY KEY (id), 
	CONSTRAINT uq_organizations_slug UNIQUE (slug)
);
INSERT INTO "organizations" VALUES('c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','Contoso','contoso','2026-11-30 13:08:08.990729','2026-11-30 13:08:08.990729');
CREATE TABLE processes (
	id VARCHAR(36) NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER DEFAULT '0' NOT NULL, 
	started_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_processes PRIMARY KEY (id)
);
CREATE TABLE project_members (
	id VARCHAR(36) NOT NULL, 
	project_id VARCHAR(36) NOT NULL, 
	identity_id VARCHAR(36), 
	user_id VARCHAR(36), 
	role TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_project_members PRIMARY KEY (id), 
	CONSTRAINT fk_project_members_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id) ON DELETE CASCADE, 
	CONSTRAINT fk_project_members_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE, 
	CONSTRAINT fk_project_members_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_project_members_project_id_identity_id UNIQUE (project_id, identity_id), 
	CONSTRAINT uq_project_members_project_id_user_id UNIQUE (project_id, user_id)
);
INSERT INTO "project_members" VALUES('b02354eb-46b2-4b21-b4c1-e94230b99d9a','649a382a-3c03-4477-938d-6aaaa9ce060f','7f5a487b-8045-47ae-ad38-1d6c95dd935f',NULL,'admin','2026-11-30 13:08:09.262341','2026-11-30 13:08:09.262341');
INSERT INTO "project_members" VALUES('722f0e6a-1112-4f90-aadf-b276f3e9591f','649a382a-3c03-4477-938d-6aaaa9ce060f',NULL,'4e7782d4-3e62-40b1-b8f5-0bab32361ef3','viewer','2026-11-30 13:08:09.602924','2026-11-30 13:08:09.602924');
CREATE TABLE projects (
	id VARCHAR(36) NOT NULL, 
	org_id VARCHAR(36) NOT NULL, 
	name TEXT NOT NULL, 
	slug TEXT NOT NULL, 
	description TEXT, 
	has_delete_protection BOOLEAN DEFAULT 0 NOT NULL, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_projects PRIMARY KEY (id), 
	CONSTRAINT fk_projects_org_id FOREIGN KEY(org_id) REFERENCES organizations (id), 
	CONSTRAINT uq_projects_slug UNIQUE (slug)
);
INSERT INTO "projects" VALUES('649a382a-3c03-4477-938d-6aaaa9ce060f','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','Payments','payments',NULL,0,'2026-11-30 13:08:09.262341','2026-11-30 13:08:09.262341');
CREATE TABLE queues (
    queue_id TEXT PRIMARY KEY DEFAULT (hex(randomblob(16))),
    name TEXT NOT NULL UNIQUE,
    concurrency INTEGER,
    worker_concurrency INTEGER,
    rate_limit_max INTEGER,
    rate_limit_period_sec REAL,
    priority_enabled BOOLEAN NOT NULL DEFAULT FALSE,
    partition_queue BOOLEAN NOT NULL DEFAULT FALSE,
    polling_interval_sec REAL NOT NULL DEFAULT 1.0,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
, "application_name" TEXT DEFAULT NULL, "partition_concurrency" INTEGER DEFAULT NULL, "partition_worker_concurrency" INTEGER DEFAULT NULL, "partition_rate_limit_max" INTEGER DEFAULT NULL, "partition_rate_limit_period_sec" REAL DEFAULT NULL);
CREATE TABLE rotations (
	id VARCHAR(36) NOT NULL, 
	kind TEXT NOT NULL, 
	connection_id VARCHAR(36), 
	org_id VARCHAR(36) NOT NULL, 
	project_id VARCHAR(36), 
	name TEXT NOT NULL, 
	cloud TEXT NOT NULL, 
	tenant_id TEXT NOT NULL, 
	app_id TEXT NOT NULL, 
	object_id VARCHAR(36) NOT NULL, 
	application_name TEXT NOT NULL, 
	interval_days INTEGER DEFAULT '30' NOT NULL, 
	at_hour INTEGER DEFAULT '0' NOT NULL, 
	at_minute INTEGER DEFAULT '0' NOT NULL, 
	time_zone TEXT NOT NULL, 
	enabled BOOLEAN DEFAULT 1 NOT NULL, 
	retired BOOLEAN DEFAULT 0 NOT NULL, 
	credential_kind TEXT NOT NULL, 
	lifetime_days INTEGER, 
	short_lifetime BOOLEAN DEFAULT 0 NOT NULL, 
	overlap TEXT NOT NULL, 
	generation INTEGER DEFAULT '0' NOT NULL, 
	anchor JSON, 
	next_run_at DATETIME, 
	wake_at DATETIME, 
	sweep_at DATETIME, 
	paused_until DATETIME, 
	status TEXT, 
	last_message TEXT, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	last_attempt_at DATETIME, 
	last_rotated_at DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_rotations PRIMARY KEY (id), 
	CONSTRAINT fk_rotations_connection_id FOREIGN KEY(connection_id) REFERENCES app_connections (id) ON DELETE SET NULL, 
	CONSTRAINT fk_rotations_org_id FOREIGN KEY(org_id) REFERENCES organizations (id)
);
INSERT INTO "rotations" VALUES('e99bacf9-590d-47be-a0df-fc3ca0f6a763','connection','8a92000c-82da-4088-a9ce-75d9e1abb75e','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74',NULL,'billing','global','cd613e30-d8f1-4adf-91b7-584a2265b1f5','78e51061-7311-48a3-82ce-6f447ed4d57b','1e2feb89-414c-443c-9027-c4d1c386bbc4','billing',30,2,15,'UTC',1,0,'client-secret',NULL,0,'until-proven',3,'{"at": "2026-11-30T13:08:15.963303+00:00", "scheduled": false}','2026-12-31 02:15:00.000000','2026-11-30 13:08:16.178948','2026-11-30 13:09:15.963303',NULL,'success',NULL,0,'2026-11-30 13:08:13.526182','2026-11-30 13:08:15.963303','2026-11-30 13:08:11.787308','2026-11-30 13:08:15.963303');
CREATE TABLE run_steps (
	id INTEGER NOT NULL, 
	rotation_id VARCHAR(36) NOT NULL, 
	run_id VARCHAR(36), 
	credential_id VARCHAR(36), 
	step TEXT NOT NULL, 
	outcome TEXT NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME NOT NULL, 
	repeats INTEGER DEFAULT '1' NOT NULL, 
	message TEXT, 
	CONSTRAINT pk_run_steps PRIMARY KEY (id), 
	CONSTRAINT fk_run_steps_rotation_id FOREIGN KEY(rotation_id) REFERENCES rotations (id)
);
INSERT INTO "run_steps" VALUES(1,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d',NULL,'inspect','done','2026-11-30 13:08:11.861443','2026-11-30 13:08:11.887520',1,NULL);
INSERT INTO "run_steps" VALUES(2,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d',NULL,'plan','done','2026-11-30 13:08:11.911278','2026-11-30 13:08:11.912608',1,NULL);
INSERT INTO "run_steps" VALUES(3,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','838df742-72be-4017-ac1c-6d9afef1f150','announce','done','2026-11-30 13:08:11.937489','2026-11-30 13:08:11.938489',1,NULL);
INSERT INTO "run_steps" VALUES(4,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','838df742-72be-4017-ac1c-6d9afef1f150','issue','done','2026-11-30 13:08:11.952131','2026-11-30 13:08:11.959894',1,NULL);
INSERT INTO "run_steps" VALUES(5,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','838df742-72be-4017-ac1c-6d9afef1f150','prove','done','2026-11-30 13:08:11.977566','2026-11-30 13:08:12.322191',3,NULL);
INSERT INTO "run_steps" VALUES(6,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','838df742-72be-4017-ac1c-6d9afef1f150','publish','done','2026-11-30 13:08:12.331855','2026-11-30 13:08:12.354750',1,NULL);
INSERT INTO "run_steps" VALUES(7,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','fe141952-a063-437d-a934-f372b74cd3a2','retire','done','2026-11-30 13:08:12.358303','2026-11-30 13:08:12.358828',1,NULL);
INSERT INTO "run_steps" VALUES(8,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','fe141952-a063-437d-a934-f372b74cd3a2','remove','done','2026-11-30 13:08:12.369297','2026-11-30 13:08:12.431775',1,NULL);
INSERT INTO "run_steps" VALUES(9,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','6290628f-49d4-41e4-9b44-c9397ce68a9d','fe141952-a063-437d-a934-f372b74cd3a2','confirm','done','2026-11-30 13:08:12.442910','2026-11-30 13:08:12.691259',2,NULL);
INSERT INTO "run_steps" VALUES(10,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3',NULL,'inspect','done','2026-11-30 13:08:12.758478','2026-11-30 13:08:12.766912',1,NULL);
INSERT INTO "run_steps" VALUES(11,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3',NULL,'plan','done','2026-11-30 13:08:12.769476','2026-11-30 13:08:12.769958',1,NULL);
INSERT INTO "run_steps" VALUES(12,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','484929ad-8f7f-481e-8f23-93d95558d3f2','announce','done','2026-11-30 13:08:12.773374','2026-11-30 13:08:12.773596',1,NULL);
INSERT INTO "run_steps" VALUES(13,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','484929ad-8f7f-481e-8f23-93d95558d3f2','issue','done','2026-11-30 13:08:12.785436','2026-11-30 13:08:12.788207',1,NULL);
INSERT INTO "run_steps" VALUES(14,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','484929ad-8f7f-481e-8f23-93d95558d3f2','prove','done','2026-11-30 13:08:12.791666','2026-11-30 13:08:13.163370',3,NULL);
INSERT INTO "run_steps" VALUES(15,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','484929ad-8f7f-481e-8f23-93d95558d3f2','publish','done','2026-11-30 13:08:13.173676','2026-11-30 13:08:13.174979',1,NULL);
INSERT INTO "run_steps" VALUES(16,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','838df742-72be-4017-ac1c-6d9afef1f150','retire','done','2026-11-30 13:08:13.212261','2026-11-30 13:08:13.212584',1,NULL);
INSERT INTO "run_steps" VALUES(17,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','838df742-72be-4017-ac1c-6d9afef1f150','remove','done','2026-11-30 13:08:13.231865','2026-11-30 13:08:13.270963',1,NULL);
INSERT INTO "run_steps" VALUES(18,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','346eb80c-4084-4147-9366-8fff032abfe3','838df742-72be-4017-ac1c-6d9afef1f150','confirm','done','2026-11-30 13:08:13.285598','2026-11-30 13:08:13.516901',2,NULL);
INSERT INTO "run_steps" VALUES(19,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b',NULL,'inspect','done','2026-11-30 13:08:15.612062','2026-11-30 13:08:15.638960',1,NULL);
INSERT INTO "run_steps" VALUES(20,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b',NULL,'plan','done','2026-11-30 13:08:15.645807','2026-11-30 13:08:15.646274',1,NULL);
INSERT INTO "run_steps" VALUES(21,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','a0b07ad3-d239-48e7-b520-1ab43c29a797','announce','done','2026-11-30 13:08:15.687082','2026-11-30 13:08:15.687452',1,NULL);
INSERT INTO "run_steps" VALUES(22,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','a0b07ad3-d239-48e7-b520-1ab43c29a797','issue','done','2026-11-30 13:08:15.700875','2026-11-30 13:08:15.710132',1,NULL);
INSERT INTO "run_steps" VALUES(23,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','a0b07ad3-d239-48e7-b520-1ab43c29a797','prove','done','2026-11-30 13:08:15.725732','2026-11-30 13:08:15.959428',3,NULL);
INSERT INTO "run_steps" VALUES(24,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','a0b07ad3-d239-48e7-b520-1ab43c29a797','publish','done','2026-11-30 13:08:15.963294','2026-11-30 13:08:15.964363',1,NULL);
INSERT INTO "run_steps" VALUES(25,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','484929ad-8f7f-481e-8f23-93d95558d3f2','retire','done','2026-11-30 13:08:15.973460','2026-11-30 13:08:15.973746',1,NULL);
INSERT INTO "run_steps" VALUES(26,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','484929ad-8f7f-481e-8f23-93d95558d3f2','remove','done','2026-11-30 13:08:15.976777','2026-11-30 13:08:16.065950',1,NULL);
INSERT INTO "run_steps" VALUES(27,'e99bacf9-590d-47be-a0df-fc3ca0f6a763','92f37d3e-abba-4baa-a42a-4ca14a6dc83b','484929ad-8f7f-481e-8f23-93d95558d3f2','confirm','done','2026-11-30 13:08:16.069054','2026-11-30 13:08:16.079034',1,NULL);
CREATE TABLE runs (
	id VARCHAR(36) NOT NULL, 
	rotation_id VARCHAR(36) NOT NULL, 
	reason TEXT NOT NULL, 
	state TEXT NOT NULL, 
	requested_by JSON, 
	slot_at DATETIME, 
	generation INTEGER DEFAULT '0' NOT NULL, 
	tries INTEGER DEFAULT '0' NOT NULL, 
	inspected_at DATETIME, 
	retry_at DATETIME, 
	created_at DATETIME NOT NULL, 
	started_at DATETIME, 
	finished_at DATETIME, 
	failure JSON, 
	CONSTRAINT pk_runs PRIMARY KEY (id), 
	CONSTRAINT fk_runs_rotation_id FOREIGN KEY(rotation_id) REFERENCES rotations (id)
);
INSERT INTO "runs" VALUES('6290628f-49d4-41e4-9b44-c9397ce68a9d','e99bacf9-590d-47be-a0df-fc3ca0f6a763','enabled','succeeded','{"kind": "identity", "id": "7f5a487b-8045-47ae-ad38-1d6c95dd935f", "name": "Admin identity"}',NULL,1,0,'2026-11-30 13:08:11.887278',NULL,'2026-11-30 13:08:11.809527','2026-11-30 13:08:11.887279','2026-11-30 13:08:12.331870','null');
INSERT INTO "runs" VALUES('346eb80c-4084-4147-9366-8fff032abfe3','e99bacf9-590d-47be-a0df-fc3ca0f6a763','manual','succeeded','{"kind": "identity", "id": "7f5a487b-8045-47ae-ad38-1d6c95dd935f", "name": "Admin identity"}',NULL,2,0,'2026-11-30 13:08:12.766862',NULL,'2026-11-30 13:08:12.734720','2026-11-30 13:08:12.766863','2026-11-30 13:08:13.173687','null');
INSERT INTO "runs" VALUES('92f37d3e-abba-4baa-a42a-4ca14a6dc83b','e99bacf9-590d-47be-a0df-fc3ca0f6a763','manual','succeeded','{"kind": "identity", "id": "7f5a487b-8045-47ae-ad38-1d6c95dd935f", "name": "Admin identity"}',NULL,3,0,'2026-11-30 13:08:15.638916',NULL,'2026-11-30 13:08:13.526182','2026-11-30 13:08:15.638917','2026-11-30 13:08:15.963303','null');
CREATE TABLE second_factors (
	user_id VARCHAR(36) NOT NULL, 
	secret TEXT NOT NULL, 
	last_counter BIGINT NOT NULL, 
	recovery JSON NOT NULL, 
	confirmed_at DATETIME, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_second_factors PRIMARY KEY (user_id), 
	CONSTRAINT fk_second_factors_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE sessions (
	id VARCHAR(36) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	user_id VARCHAR(36) NOT NULL, 
	pending BOOLEAN DEFAULT 0 NOT NULL, 
	ip TEXT NOT NULL, 
	user_agent TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_sessions PRIMARY KEY (id), 
	CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE, 
	CONSTRAINT uq_sessions_digest UNIQUE (digest)
);
CREATE TABLE streams (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    "offset" INTEGER NOT NULL, function_id INTEGER NOT NULL DEFAULT 0, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key, "offset"),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE universal_auths (
	id VARCHAR(36) NOT NULL, 
	identity_id VARCHAR(36) NOT NULL, 
	client_id VARCHAR(36) NOT NULL, 
	access_token_ttl INTEGER DEFAULT '2592000' NOT NULL, 
	access_token_max_ttl INTEGER DEFAULT '2592000' NOT NULL, 
	access_token_uses_limit INTEGER DEFAULT '0' NOT NULL, 
	access_token_period INTEGER DEFAULT '0' NOT NULL, 
	client_secret_trusted_ips JSON NOT NULL, 
	access_token_trusted_ips JSON NOT NULL, 
	lockout_enabled BOOLEAN DEFAULT 1 NOT NULL, 
	lockout_threshold INTEGER DEFAULT '3' NOT NULL, 
	lockout_seconds INTEGER DEFAULT '300' NOT NULL, 
	lockout_reset_seconds INTEGER DEFAULT '30' NOT NULL, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	last_failure_at DATETIME, 
	locked_until DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_universal_auths PRIMARY KEY (id), 
	CONSTRAINT fk_universal_auths_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id) ON DELETE CASCADE, 
	CONSTRAINT uq_universal_auths_client_id UNIQUE (client_id), 
	CONSTRAINT uq_universal_auths_identity_id UNIQUE (identity_id)
);
INSERT INTO "universal_auths" VALUES('daf6cc6e-4da4-48ae-bed4-c15d25137fa7','ec82f04e-9185-43df-bd77-497a566ce8cc','1e1855f3-16e7-43db-83f0-c6d9cfa5a019',2592000,2592000,0,0,'["0.0.0.0/0", "::/0"]','["0.0.0.0/0", "::/0"]',1,3,300,30,0,NULL,NULL,'2026-11-30 13:08:09.808599','2026-11-30 13:08:09.808599');
CREATE TABLE users (
	id VARCHAR(36) NOT NULL, 
	org_id VARCHAR(36) NOT NULL, 
	email TEXT NOT NULL, 
	first_name TEXT NOT NULL, 
	last_name TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	role TEXT NOT NULL, 
	super_admin BOOLEAN DEFAULT 0 NOT NULL, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	last_failure_at DATETIME, 
	locked_until DATETIME, 
	created_at DATETIME NOT NULL, 
	updated_at DATETIME NOT NULL, 
	CONSTRAINT pk_users PRIMARY KEY (id), 
	CONSTRAINT fk_users_org_id FOREIGN KEY(org_id) REFERENCES organizations (id), 
	CONSTRAINT uq_users_email UNIQUE (email)
);
INSERT INTO "users" VALUES('cadc1a32-30ec-44eb-b887-f36181a21ee9','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','ada@example.com','','','$argon2id$v=19$m=19456,t=2,p=1$g57LpZ24ZmYRCInHxCFzHQ$2Xmk/JQeR6P4eX0Oo9/pFg//ssJFJzFcBDKeJ2C8qSY','admin',1,0,NULL,NULL,'2026-11-30 13:08:08.667959','2026-11-30 13:08:08.667959');
INSERT INTO "users" VALUES('4e7782d4-3e62-40b1-b8f5-0bab32361ef3','c9f9f259-2d5f-4c00-9ae7-ea2b117fbf74','bob@example.com','','','$argon2id$v=19$m=19456,t=2,p=1$rAua4oPftEV/7itfp9q5RA$0bl1dbXvOowhtVumeiMw7UEici3aaN4i+wOLwNGdREM','member',0,0,NULL,NULL,'2026-11-30 13:08:09.442595','2026-11-30 13:08:09.442595');
CREATE TABLE workflow_events (
    workflow_uuid TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid) 
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_events_history (
    workflow_uuid TEXT NOT NULL,
    function_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL, "serialization" TEXT DEFAULT NULL,
    PRIMARY KEY (workflow_uuid, function_id, key),
    FOREIGN KEY (workflow_uuid) REFERENCES workflow_status(workflow_uuid)
        ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE TABLE workflow_input (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    inputs TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
CREATE TABLE workflow_output (
    workflow_uuid TEXT NOT NULL PRIMARY KEY,
    output TEXT,
    error TEXT,
    retention_timestamp INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000)
);
CREATE TABLE workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    schedule_name TEXT NOT NULL UNIQUE,
    workflow_name TEXT NOT NULL,
    workflow_class_name TEXT,
    schedule TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ACTIVE',
    context TEXT NOT NULL
, "last_fired_at" TEXT DEFAULT NULL, "automatic_backfill" BOOLEAN NOT NULL DEFAULT FALSE, "cron_timezone" TEXT DEFAULT NULL, "queue_name" TEXT DEFAULT NULL, "application_name" TEXT DEFAULT NULL);
CREATE TABLE workflow_status (
    workflow_uuid TEXT PRIMARY KEY,
    status TEXT,
    name TEXT,
    authenticated_user TEXT,
    assumed_role TEXT,
    authenticated_roles TEXT,
    request TEXT,
    output TEXT,
    error TEXT,
    executor_id TEXT,
    created_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    updated_at INTEGER NOT NULL DEFAULT (strftime('%s','now') * 1000),
    application_version TEXT,
    application_id TEXT,
    class_name TEXT DEFAULT NULL,
    config_name TEXT DEFAULT NULL,
    recovery_attempts INTEGER DEFAULT 0,
    queue_name TEXT,
    workflow_timeout_ms INTEGER,
    workflow_deadline_epoch_ms INTEGER,
    inputs TEXT,
    started_at_epoch_ms INTEGER,
    deduplication_id TEXT,
    priority INTEGER NOT NULL DEFAULT 0
, queue_partition_key TEXT, forked_from TEXT, "owner_xid" TEXT DEFAULT NULL, "parent_workflow_id" TEXT DEFAULT NULL, "serialization" TEXT DEFAULT NULL, "delay_until_epoch_ms" BIGINT DEFAULT NULL, "was_forked_from" BOOLEAN NOT NULL DEFAULT FALSE, "rate_limited" BOOLEAN NOT NULL DEFAULT FALSE, "completed_at" BIGINT, "attributes" TEXT, "schedule_name" TEXT, "debounce_deadline_epoch_ms" BIGINT DEFAULT NULL, "is_debounced" BOOLEAN NOT NULL DEFAULT FALSE, "application_name" TEXT DEFAULT NULL, "creator_xid" TEXT DEFAULT NULL);
CREATE INDEX ix_audit_events_at ON audit_events (at);
CREATE INDEX ix_audit_events_org_id ON audit_events (org_id);
CREATE INDEX ix_audit_events_subject_id ON audit_events (subject_id);
CREATE INDEX ix_processes_seen_at ON processes (seen_at);
CREATE INDEX ix_identities_org_id ON identities (org_id);
CREATE INDEX ix_oauth_flows_expires_at ON oauth_flows (expires_at);
CREATE INDEX ix_oauth_flows_org_id ON oauth_flows (org_id);
CREATE INDEX ix_projects_org_id ON projects (org_id);
CREATE INDEX ix_users_org_id ON users (org_id);
CREATE INDEX ix_access_tokens_client_secret_id ON access_tokens (client_secret_id);
CREATE INDEX ix_access_tokens_identity_id ON access_tokens (identity_id);
CREATE INDEX ix_access_tokens_user_id ON access_tokens (user_id);
CREATE INDEX ix_app_connections_in_order ON app_connections (org_id, app, name, id, project_id);
CREATE INDEX ix_app_connections_org_id ON app_connections (org_id);
CREATE INDEX ix_app_connections_project_id ON app_connections (project_id);
CREATE INDEX ix_environments_project_id ON environments (project_id);
CREATE INDEX ix_project_members_identity_id ON project_members (identity_id);
CREATE INDEX ix_project_members_project_id ON project_members (project_id);
CREATE INDEX ix_project_members_user_id ON project_members (user_id);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_client_secrets_prefix ON client_secrets (prefix);
CREATE INDEX ix_client_secrets_universal_auth_id ON client_secrets (universal_auth_id);
CREATE INDEX ix_oauth_tokens_refresh_due_at ON oauth_tokens (refresh_due_at);
CREATE INDEX ix_rotations_connection_id ON rotations (connection_id);
CREATE INDEX ix_rotations_object_id ON rotations (object_id);
CREATE INDEX ix_rotations_org_id ON rotations (org_id);
CREATE INDEX ix_rotations_wake_at ON rotations (wake_at);
CREATE INDEX ix_credentials_key_id ON credentials (key_id);
CREATE INDEX ix_credentials_object_id ON credentials (object_id);
CREATE INDEX ix_credentials_object_id_marker ON credentials (object_id, marker);
CREATE INDEX ix_credentials_rotation_id ON credentials (rotation_id);
CREATE INDEX ix_credentials_run_id ON credentials (run_id);
CREATE INDEX ix_observed_keys_rotation_id ON observed_keys (rotation_id);
CREATE INDEX ix_run_steps_rotation_id ON run_steps (rotation_id);
CREATE INDEX ix_run_steps_run_id ON run_steps (run_id);
CREATE UNIQUE INDEX ix_runs_one_active ON runs (rotation_id) WHERE finished_at IS NULL;
CREATE INDEX ix_runs_rotation_id ON runs (rotation_id);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed or deleted'); END;
CREATE INDEX workflow_status_created_at_index ON workflow_status (created_at);
CREATE INDEX idx_workflow_topic ON notifications (destination_uuid, topic);
CREATE INDEX "idx_workflow_status_delayed" ON "workflow_status" ("delay_until_epoch_ms") WHERE status = 'DELAYED';
CREATE INDEX "idx_workflow_status_forked_from" ON "workflow_status" ("forked_from") WHERE "forked_from" IS NOT NULL;
CREATE INDEX "idx_workflow_status_parent_workflow_id" ON "workflow_status" ("parent_workflow_id") WHERE "parent_workflow_id" IS NOT NULL;
CREATE UNIQUE INDEX "uq_workflow_status_dedup_id" ON "workflow_status" ("queue_name", "deduplication_id") WHERE "deduplication_id" IS NOT NULL;
CREATE INDEX "idx_workflow_status_pending" ON "workflow_status" ("created_at") WHERE "status" = 'PENDING';
CREATE INDEX "idx_workflow_status_failed" ON "workflow_status" ("status", "created_at") WHERE "status" IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED');
CREATE INDEX "idx_workflow_status_rate_limited" ON "workflow_status" ("queue_name", "started_at_epoch_ms") WHERE "rate_limited" = TRUE;
CREATE INDEX "idx_workflow_status_completed_at" ON "workflow_status" ("completed_at") WHERE "completed_at" IS NOT NULL;
CREATE INDEX "idx_workflow_status_started_at" ON "workflow_status" ("started_at_epoch_ms") WHERE "started_at_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_workflow_status_schedule_name" ON "workflow_status" ("schedule_name") WHERE "schedule_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_owner_version"
    ON application_versions ("application_name", "version_name")
    WHERE "application_name" IS NOT NULL;
CREATE UNIQUE INDEX "uq_application_versions_unclaimed_version"
    ON application_versions ("version_name")
    WHERE "application_name" IS NULL;
CREATE INDEX idx_workflow_input_retention
    ON workflow_input (retention_timestamp);
CREATE INDEX idx_workflow_output_retention
    ON workflow_output (retention_timestamp);
CREATE INDEX idx_operation_outputs_retention
    ON operation_outputs (retention_timestamp);
CREATE INDEX "idx_workflow_status_in_flight_v2" ON "workflow_status" ("queue_name", "status", "priority", "created_at", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING');
CREATE INDEX "idx_workflow_status_partition_dequeue_v3" ON "workflow_status" ("queue_name", "status", "queue_partition_key", "priority", "created_at", "workflow_uuid", "application_name") WHERE "status" IN ('ENQUEUED', 'PENDING') AND "queue_partition_key" IS NOT NULL;
CREATE INDEX "idx_operation_outputs_completed_at_function_name_v2" ON "operation_outputs" ("completed_at_epoch_ms", "function_name", "application_name");
CREATE INDEX "idx_workflow_status_deadline" ON "workflow_status" ("workflow_deadline_epoch_ms") WHERE "status" IN ('ENQUEUED', 'PENDING', 'DELAYED') AND "workflow_deadline_epoch_ms" IS NOT NULL;
CREATE INDEX "idx_application_versions_timestamp" ON "application_versions" ("version_timestamp" DESC);
CREATE INDEX "idx_application_versions_owner_timestamp" ON "application_versions" ("application_name", "version_timestamp" DESC);
COMMIT;
