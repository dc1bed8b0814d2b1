SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA dbos;
CREATE FUNCTION dbos.enqueue_workflow(workflow_name text, queue_name text, positional_args json[] DEFAULT ARRAY[]::json[], named_args json DEFAULT '{}'::json, class_name text DEFAULT NULL::text, config_name text DEFAULT NULL::text, workflow_id text DEFAULT NULL::text, app_version text DEFAULT NULL::text, timeout_ms bigint DEFAULT NULL::bigint, deadline_epoch_ms bigint DEFAULT NULL::bigint, deduplication_id text DEFAULT NULL::text, priority integer DEFAULT NULL::integer, queue_partition_key text DEFAULT NULL::text, authenticated_user text DEFAULT NULL::text, authenticated_roles text DEFAULT NULL::text, delay_until_epoch_ms bigint DEFAULT NULL::bigint, application_name text DEFAULT NULL::text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_workflow_id TEXT;
    v_serialized_inputs TEXT;
    v_owner_xid TEXT;
    v_now BIGINT;
    v_recovery_attempts INT4 := 0;
    v_priority INT4;
    v_status TEXT;
BEGIN
    -- Validate required parameters
    IF workflow_name IS NULL OR workflow_name = '' THEN
        RAISE EXCEPTION 'Workflow name cannot be null or empty';
    END IF;
    IF queue_name IS NULL OR queue_name = '' THEN
        RAISE EXCEPTION 'Queue name cannot be null or empty';
    END IF;
    IF named_args IS NOT NULL AND jsonb_typeof(named_args::jsonb) != 'object' THEN
        RAISE EXCEPTION 'Named args must be a JSON object';
    END IF;
    IF workflow_id IS NOT NULL AND workflow_id = '' THEN
        RAISE EXCEPTION 'Workflow ID cannot be an empty string if provided.';
    END IF;
    IF delay_until_epoch_ms IS NOT NULL AND delay_until_epoch_ms < 0 THEN
        RAISE EXCEPTION 'delay_until_epoch_ms must be >= 0';
    END IF;
    v_workflow_id := COALESCE(workflow_id, gen_random_uuid()::TEXT);
    v_owner_xid := gen_random_uuid()::TEXT;
    v_priority := COALESCE(priority, 0);
    v_serialized_inputs := json_build_object(
        'positionalArgs', positional_args,
        'namedArgs', named_args
    )::TEXT;
    v_now := EXTRACT(epoch FROM now()) * 1000;
    v_status := CASE WHEN delay_until_epoch_ms IS NULL THEN 'ENQUEUED' ELSE 'DELAYED' END;
    INSERT INTO "dbos".workflow_status (
        workflow_uuid, status,
        name, class_name, config_name,
        queue_name, deduplication_id, priority, queue_partition_key,
        application_version,
        created_at, updated_at, recovery_attempts,
        workflow_timeout_ms, workflow_deadline_epoch_ms,
        parent_workflow_id, owner_xid, serialization,
        authenticated_user, authenticated_roles,
        delay_until_epoch_ms, application_name
    ) VALUES (
        v_workflow_id, v_status,
        workflow_name, class_name, config_name,
        queue_name, deduplication_id, v_priority, queue_partition_key,
        app_version,
        v_now, v_now, v_recovery_attempts,
        timeout_ms, deadline_epoch_ms,
        NULL, v_owner_xid, 'portable_json',
        authenticated_user, authenticated_roles,
        delay_until_epoch_ms, application_name
    )
    ON CONFLICT (workflow_uuid)
    DO UPDATE SET
        updated_at = EXCLUDED.updated_at;
    INSERT INTO "dbos".workflow_input (
        workflow_uuid, inputs, retention_timestamp
    ) VALUES (
        v_workflow_id, v_serialized_inputs, v_now
    )
    ON CONFLICT (workflow_uuid) DO NOTHING;
    RETURN v_workflow_id;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION 'DBOS queue duplicated'
            USING DETAIL = format('Workflow %s with queue %s and deduplication ID %s already exists', v_workflow_id, queue_name, deduplication_id),
                ERRCODE = 'unique_violation';
END;
$$;
CREATE FUNCTION dbos.send_message(destination_id text, message json, topic text DEFAULT NULL::text, message_id text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
    v_topic TEXT := COALESCE(topic, '__null__topic__');
    v_message_id TEXT := COALESCE(message_id, gen_random_uuid()::TEXT);
BEGIN
    INSERT INTO "dbos".notifications (
        destination_uuid, topic, message, message_uuid, serialization
    ) VALUES (
        destination_id, v_topic, message, v_message_id, 'portable_json'
    )
    ON CONFLICT (message_uuid) DO NOTHING;
EXCEPTION
    WHEN foreign_key_violation THEN
        RAISE EXCEPTION 'DBOS non-existent workflow'
            USING DETAIL = format('Destination workflow %s does not exist', destination_id),
                ERRCODE = 'foreign_key_violation';
END;
$$;
CREATE FUNCTION public.keyturn_refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN RAISE EXCEPTION 'audit events cannot be changed or deleted' USING ERRCODE = 'integrity_constraint_violation'; END $$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE dbos.application_versions (
    version_id text NOT NULL,
    version_name text NOT NULL,
    version_timestamp bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    created_at bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    application_name text
);
CREATE TABLE dbos.dbos_migrations (
    version bigint NOT NULL
);
CREATE TABLE dbos.event_dispatch_kv (
    service_name text NOT NULL,
    workflow_fn_name text NOT NULL,
    key text NOT NULL,
    value text,
    update_seq numeric(38,0),
    update_time numeric(38,15)
);
CREATE TABLE dbos.notifications (
    message_uuid text DEFAULT gen_random_uuid() NOT NULL,
    destination_uuid text NOT NULL,
    topic text,
    message text NOT NULL,
    created_at_epoch_ms bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    serialization text,
    consumed boolean DEFAULT false NOT NULL,
    consumed_by_function_id integer
);
CREATE TABLE dbos.operation_outputs (
    workflow_uuid text NOT NULL,
    function_id integer NOT NULL,
    function_name text DEFAULT ''::text NOT NULL,
    output text,
    error text,
    child_workflow_id text,
    started_at_epoch_ms bigint,
    completed_at_epoch_ms bigint,
    serialization text,
    application_name text,
    retention_timestamp bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL
);
CREATE TABLE dbos.queues (
    queue_id text DEFAULT (gen_random_uuid())::text NOT NULL,
    name text NOT NULL,
    concurrency integer,
    worker_concurrency integer,
    rate_limit_max integer,
    rate_limit_period_sec double precision,
    priority_enabled boolean DEFAULT false NOT NULL,
    partition_queue boolean DEFAULT false NOT NULL,
    polling_interval_sec double precision DEFAULT 1.0 NOT NULL,
    created_at bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    updated_at bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    application_name text,
    partition_concurrency integer,
    partition_worker_concurrency integer,
    partition_rate_limit_max integer,
    partition_rate_limit_period_sec double precision
);
CREATE TABLE dbos.streams (
    workflow_uuid text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    "offset" integer NOT NULL,
    function_id integer DEFAULT 0 NOT NULL,
    serialization text
);
CREATE TABLE dbos.workflow_events (
    workflow_uuid text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    serialization text
);
CREATE TABLE dbos.workflow_events_history (
    workflow_uuid text NOT NULL,
    function_id integer NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    serialization text
);
CREATE TABLE dbos.workflow_input (
    workflow_uuid text NOT NULL,
    inputs text,
    retention_timestamp bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL
);
CREATE TABLE dbos.workflow_output (
    workflow_uuid text NOT NULL,
    output text,
    error text,
    retention_timestamp bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL
);
CREATE TABLE dbos.workflow_schedules (
    schedule_id text NOT NULL,
    schedule_name text NOT NULL,
    workflow_name text NOT NULL,
    workflow_class_name text,
    schedule text NOT NULL,
    status text DEFAULT 'ACTIVE'::text NOT NULL,
    context text NOT NULL,
    last_fired_at text,
    automatic_backfill boolean DEFAULT false NOT NULL,
    cron_timezone text,
    queue_name text,
    application_name text
);
CREATE TABLE dbos.workflow_status (
    workflow_uuid text NOT NULL,
    status text,
    name text,
    authenticated_user text,
    assumed_role text,
    authenticated_roles text,
    request text,
    output text,
    error text,
    executor_id text,
    created_at bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    updated_at bigint DEFAULT ((EXTRACT(epoch FROM now()) * 1000.0))::bigint NOT NULL,
    application_version text,
    application_id text,
    class_name character varying(255) DEFAULT NULL::character varying,
    config_name character varying(255) DEFAULT NULL::character varying,
    recovery_attempts bigint DEFAULT 0,
    queue_name text,
    workflow_timeout_ms bigint,
    workflow_deadline_epoch_ms bigint,
    inputs text,
    started_at_epoch_ms bigint,
    deduplication_id text,
    priority integer DEFAULT 0 NOT NULL,
    queue_partition_key text,
    forked_from text,
    owner_xid text,
    parent_workflow_id text,
    serialization text,
    delay_until_epoch_ms bigint,
    was_forked_from boolean DEFAULT false NOT NULL,
    rate_limited boolean DEFAULT false NOT NULL,
    completed_at bigint,
    attributes jsonb,
    schedule_name text,
    debounce_deadline_epoch_ms bigint,
    is_debounced boolean DEFAULT false NOT NULL,
    application_name text,
    creator_xid text
);
CREATE TABLE public.access_tokens (
    id character varying(36) NOT NULL,
    digest character varying(64) NOT NULL,
    identity_id character varying(36),
    user_id character varying(36),
    client_secret_id character varying(36),
    ttl integer DEFAULT 0 NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    uses_limit integer DEFAULT 0 NOT NULL,
    expires_at timestamp with time zone,
    renewable_until timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.app_connections (
    id character varying(36) NOT NULL,
    org_id character varying(36) NOT NULL,
    project_id character varying(36),
    scope character varying(36) NOT NULL,
    name text NOT NULL,
    description text,
    app text NOT NULL,
    method text NOT NULL,
    cloud text NOT NULL,
    tenant_id text NOT NULL,
    client_id text NOT NULL,
    secret text NOT NULL,
    secret_version integer DEFAULT 1 NOT NULL,
    credentials_hash text NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    checked_at timestamp with time zone,
    check_result json,
    ends_at timestamp with time zone,
    facts json,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.audit_events (
    id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    org_id character varying(36),
    project_id character varying(36),
    actor_kind text NOT NULL,
    actor_id character varying(36),
    actor_name text,
    event text NOT NULL,
    subject_kind text NOT NULL,
    subject_id character varying(36),
    data json NOT NULL,
    once text,
    request_id text
);
CREATE SEQUENCE public.audit_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.audit_events_id_seq OWNED BY public.audit_events.id;
CREATE TABLE public.client_secrets (
    id character varying(36) NOT NULL,
    universal_auth_id character varying(36) NOT NULL,
    description text NOT NULL,
    prefix character varying(4) NOT NULL,
    hash text NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    uses_limit integer DEFAULT 0 NOT NULL,
    ttl integer DEFAULT 0 NOT NULL,
    revoked boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.credentials (
    id character varying(36) NOT NULL,
    rotation_id character varying(36) NOT NULL,
    org_id text NOT NULL,
    object_id character varying(36) NOT NULL,
    run_id character varying(36),
    generation integer DEFAULT 0 NOT NULL,
    state text NOT NULL,
    adopted boolean DEFAULT false NOT NULL,
    marker text NOT NULL,
    key_id character varying(36),
    hint text,
    value text,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    ask_token integer DEFAULT 0 NOT NULL,
    ask_unknown boolean DEFAULT false NOT NULL,
    absences integer DEFAULT 0 NOT NULL,
    absent_at timestamp with time zone,
    proofs integer DEFAULT 0 NOT NULL,
    proof_tries integer DEFAULT 0 NOT NULL,
    proof_at timestamp with time zone,
    revoke_after timestamp with time zone,
    removed_at timestamp with time zone,
    retry_at timestamp with time zone,
    tries integer DEFAULT 0 NOT NULL,
    planned_at timestamp with time zone,
    asked_at timestamp with time zone,
    issued_at timestamp with time zone,
    proven_at timestamp with time zone,
    published_at timestamp with time zone,
    retired_at timestamp with time zone,
    retired_by character varying(36),
    ended_at timestamp with time zone,
    note text
);
CREATE TABLE public.data_keys (
    id character varying(36) NOT NULL,
    root_key_id text NOT NULL,
    wrapped text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    retired_at timestamp with time zone,
    seals bigint DEFAULT '0'::bigint NOT NULL
);
CREATE TABLE public.environments (
    id character varying(36) NOT NULL,
    project_id character varying(36) NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    "position" integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.identities (
    id character varying(36) NOT NULL,
    org_id character varying(36) NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    has_delete_protection boolean DEFAULT false NOT NULL,
    metadata json NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.leases (
    object_id character varying(80) NOT NULL,
    holder text,
    token bigint NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE public.oauth_flows (
    id character varying(36) NOT NULL,
    digest character varying(64) NOT NULL,
    binding text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    org_id character varying(36) NOT NULL,
    payload text,
    expires_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.oauth_tokens (
    connection_id character varying(36) NOT NULL,
    refresh_token text NOT NULL,
    refresh_token_version integer DEFAULT 1 NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    refresh_due_at timestamp with time zone
);
CREATE TABLE public.observed_keys (
    id character varying(36) NOT NULL,
    rotation_id character varying(36) NOT NULL,
    key_id character varying(36) NOT NULL,
    name text,
    hint text,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    ours boolean DEFAULT false NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    gone_at timestamp with time zone
);
CREATE TABLE public.organizations (
    id character varying(36) NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.processes (
    id character varying(36) NOT NULL,
    host text NOT NULL,
    pid integer DEFAULT 0 NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.project_members (
    id character varying(36) NOT NULL,
    project_id character varying(36) NOT NULL,
    identity_id character varying(36),
    user_id character varying(36),
    role text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.projects (
    id character varying(36) NOT NULL,
    org_id character varying(36) NOT NULL,
    name text NOT NULL,
    slug text NOT NULL,
    description text,
    has_delete_protection boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.rotations (
    id character varying(36) NOT NULL,
    kind text NOT NULL,
    connection_id character varying(36),
    org_id character varying(36) NOT NULL,
    project_id character varying(36),
    name text NOT NULL,
    cloud text NOT NULL,
    tenant_id text NOT NULL,
    app_id text NOT NULL,
    object_id character varying(36) NOT NULL,
    application_name text NOT NULL,
    interval_days integer DEFAULT 30 NOT NULL,
    at_hour integer DEFAULT 0 NOT NULL,
    at_minute integer DEFAULT 0 NOT NULL,
    time_zone text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    retired boolean DEFAULT false NOT NULL,
    credential_kind text NOT NULL,
    lifetime_days integer,
    short_lifetime boolean DEFAULT false NOT NULL,
    overlap text NOT NULL,
    generation integer DEFAULT 0 NOT NULL,
    anchor json,
    next_run_at timestamp with time zone,
    wake_at timestamp with time zone,
    sweep_at timestamp with time zone,
    paused_until timestamp with time zone,
    status text,
    last_message text,
    failures integer DEFAULT 0 NOT NULL,
    last_attempt_at timestamp with time zone,
    last_rotated_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.run_steps (
    id bigint NOT NULL,
    rotation_id character varying(36) NOT NULL,
    run_id character varying(36),
    credential_id character varying(36),
    step text NOT NULL,
    outcome text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    repeats integer DEFAULT 1 NOT NULL,
    message text
);
CREATE SEQUENCE public.run_steps_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.run_steps_id_seq OWNED BY public.run_steps.id;
CREATE TABLE public.runs (
    id character varying(36) NOT NULL,
    rotation_id character varying(36) NOT NULL,
    reason text NOT NULL,
    state text NOT NULL,
    requested_by json,
    slot_at timestamp with time zone,
    generation integer DEFAULT 0 NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    inspected_at timestamp with time zone,
    retry_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    failure json
);
CREATE TABLE public.second_factors (
    user_id character varying(36) NOT NULL,
    secret text NOT NULL,
    last_counter bigint NOT NULL,
    recovery json NOT NULL,
    confirmed_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL
);
CREATE TABLE public.sessions (
    id character varying(36) NOT NULL,
    digest character varying(64) NOT NULL,
    user_id character varying(36) NOT NULL,
    pending boolean DEFAULT false NOT NULL,
    ip text NOT NULL,
    user_agent text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.universal_auths (
    id character varying(36) NOT NULL,
    identity_id character varying(36) NOT NULL,
    client_id character varying(36) NOT NULL,
    access_token_ttl integer DEFAULT 2592000 NOT NULL,
    access_token_max_ttl integer DEFAULT 2592000 NOT NULL,
    access_token_uses_limit integer DEFAULT 0 NOT NULL,
    access_token_period integer DEFAULT 0 NOT NULL,
    client_secret_trusted_ips json NOT NULL,
    access_token_trusted_ips json NOT NULL,
    lockout_enabled boolean DEFAULT true NOT NULL,
    lockout_threshold integer DEFAULT 3 NOT NULL,
    lockout_seconds integer DEFAULT 300 NOT NULL,
    lockout_reset_seconds integer DEFAULT 30 NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_failure_at timestamp with time zone,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
CREATE TABLE public.users (
    id character varying(36) NOT NULL,
    org_id character varying(36) NOT NULL,
    email text NOT NULL,
    first_name text NOT NULL,
    last_name text NOT NULL,
    password_hash text NOT NULL,
    role text NOT NULL,
    super_admin boolean DEFAULT false NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    last_failure_at timestamp with time zone,
    locked_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.audit_events ALTER COLUMN id SET DEFAULT nextval('public.audit_events_id_seq'::regclass);
ALTER TABLE ONLY public.run_steps ALTER COLUMN id SET DEFAULT nextval('public.run_steps_id_seq'::regclass);
INSERT INTO dbos.application_versions VALUES ('dc0d7b5f-5cb7-489d-9bce-6ce2af6b7b78', '1', 1796044103645, 1796044103645, 'keyturn');
INSERT INTO dbos.dbos_migrations VALUES (125);
INSERT INTO public.access_tokens VALUES ('25eca970-09c1-4e78-a386-bdb4728e956e', '99abc9f7b67f2f5d766ba600c3c866a20ed590534324a20bfc8dcb4b92c4f25e', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', NULL, NULL, 0, 1, 0, NULL, NULL, NULL, '2026-11-30 13:08:24.286809+00', '2026-11-30 13:08:24.196804+00');
INSERT INTO public.alembic_version VALUES ('0002');
INSERT INTO public.app_connections VALUES ('1fc21608-8b91-48b8-a792-7f6dd833655a', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'billing', NULL, 'azure-client-secrets', 'client-secret', 'global', 'cd613e30-d8f1-4adf-91b7-584a2265b1f5', '78e51061-7311-48a3-82ce-6f447ed4d57b', 'k1.afhatjgz.XSh2bCn5uP17NqifgW-BGLJB_cYN2cePC3i3lsc6NP5oV9GCnjcgzbZMSEo1_fFZ_XS855jyW6Yf7nOyL7kM23VzvsLum3LtSajaVaXGzH5qRZn_HsPlzwmPJ-O2RSZNtLerhyClcMa_qxRPxis-LgXO5SN73NqJGn5Aqo5WmYEAVwB7NlTcHwiwQYzDKDAOehGniYYUzVs90hcnSVmEPk29gSKd5ZOefowhdQ', 4, 'e24b0a2975badda6030e19bc12a03f2c1a6afc55fad52890f9f2a03d80bed9e7', 1, '2026-11-30 13:08:25.928427+00', '{"ok": true}', NULL, 'null', '2026-11-30 13:08:25.928427+00', '2026-11-30 13:08:28.127809+00');
INSERT INTO public.app_connections VALUES ('2fab25d9-e346-4225-9086-91f717d0c83f', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'still', NULL, 'azure-client-secrets', 'client-secret', 'global', 'cd613e30-d8f1-4adf-91b7-584a2265b1f5', '7fd63116-e1ea-44c4-b934-1c68966baea1', 'k1.afhatjgz.CjNooXJhTJ4hulMPDH7HNtEINJjLjo5puXNGbg7EoGt-gNh1VE-eu-fnRu2waRh7_ddJNrH_6D8OFiJbaAbIpQcKVFA6B-RYTz72hnkTbYV3Wsi5GP5qu10yvoEW9SaI_XaQ_-99eLK_0QHfB-oMXP0bqA5DZ6_tVJM0Rpg7i-TVz03mhLLxbBvYsmb-z19rO_HgQEI0R1t9uH_p5sNHnYlzqFvTL-3Tt7RuSw', 1, 'b89f4fc1cec98011e648ae8b3f3a0a7c70682f4d1d64c5cfad7aa7d1cdb43e4f', 1, '2026-11-30 13:08:28.46334+00', '{"ok": true}', NULL, 'null', '2026-11-30 13:08:28.46334+00', '2026-11-30 13:08:28.46334+00');
INSERT INTO public.audit_events VALUES (1, '2026-11-30 13:08:24.178465+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'bootstrap-instance', 'organization', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '{"userId": "28c533ca-4b07-48f6-bc16-51541f9e3a79", "email": "ada@example.com", "identityId": "2ad82827-600a-41ef-9bd1-ae3c4d665a14"}', 'bootstrap', NULL);
INSERT INTO public.audit_events VALUES (2, '2026-11-30 13:08:24.330131+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '053091a9-b981-4ab0-8754-f6708bfadea2', 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-project', 'project', '053091a9-b981-4ab0-8754-f6708bfadea2', '{"name": "Payments", "slug": "payments"}', NULL, 'req-ehKqmeegene0Ig');
INSERT INTO public.audit_events VALUES (3, '2026-11-30 13:08:24.485459+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-user', 'user', '50cd7275-1af0-4702-a8cc-b7e44bf4d764', '{"email": "bob@example.com", "role": "member"}', NULL, 'req-0H0z8E5rN8e4oU');
INSERT INTO public.audit_events VALUES (4, '2026-11-30 13:08:24.590558+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '053091a9-b981-4ab0-8754-f6708bfadea2', 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'add-project-member', 'user', '50cd7275-1af0-4702-a8cc-b7e44bf4d764', '{"projectId": "053091a9-b981-4ab0-8754-f6708bfadea2", "name": "bob@example.com", "role": "viewer"}', NULL, 'req-FnVC8iYnslejhZ');
INSERT INTO public.audit_events VALUES (5, '2026-11-30 13:08:24.741415+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-identity', 'identity', 'f5b94f7d-1acb-4d31-b61a-dc77152bea5c', '{"name": "deployer", "role": "member"}', NULL, 'req-Rej6tpVMWsxpZ4');
INSERT INTO public.audit_events VALUES (6, '2026-11-30 13:08:24.857411+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'add-identity-universal-auth', 'identity', 'f5b94f7d-1acb-4d31-b61a-dc77152bea5c', '{}', NULL, 'req-nLAOorJCwiJ5OV');
INSERT INTO public.audit_events VALUES (7, '2026-11-30 13:08:25.041398+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-identity-universal-auth-client-secret', 'identity', 'f5b94f7d-1acb-4d31-b61a-dc77152bea5c', '{"clientSecretId": "ca586d31-2e6f-4cff-a2bd-47c93728b78d"}', NULL, 'req-VS2To1eu2Bkjji');
INSERT INTO public.audit_events VALUES (8, '2026-11-30 13:08:25.93339+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-app-connection', 'app-connection', '1fc21608-8b91-48b8-a792-7f6dd833655a', '{"name": "billing", "app": "azure-client-secrets", "method": "client-secret", "credentialsUpdated": true}', NULL, 'req-mEpqFceV825QL2');
INSERT INTO public.audit_events VALUES (9, '2026-11-30 13:08:25.95232+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'rotation-enabled', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "adoptedKeyId": "9b810e76-6ec9-4286-a3ca-828dd5f4b3b2", "rotationInterval": 30, "rotateAt": "02:15", "timeZone": "UTC"}', NULL, 'req-mEpqFceV825QL2');
INSERT INTO public.audit_events VALUES (10, '2026-11-30 13:08:25.985459+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'rotation-run-requested', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "78bd8196-9465-497a-a7fc-3c632248f19a", "reason": "enabled"}', NULL, 'req-mEpqFceV825QL2');
INSERT INTO public.audit_events VALUES (11, '2026-11-30 13:08:26.233443+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-issued', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "78bd8196-9465-497a-a7fc-3c632248f19a", "keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 rk4ztsdlsf", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:26.000Z"}', NULL, NULL);
INSERT INTO public.audit_events VALUES (12, '2026-11-30 13:08:26.695074+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'rotation-run-succeeded', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "78bd8196-9465-497a-a7fc-3c632248f19a", "reason": "enabled", "published": {"keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 rk4ztsdlsf", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:26.000Z"}}', 'run-end:78bd8196-9465-497a-a7fc-3c632248f19a', NULL);
INSERT INTO public.audit_events VALUES (13, '2026-11-30 13:08:27.01772+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'rotation-run-requested', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "cff6d84d-52ee-4ea5-92d2-57f3c84556f2", "reason": "manual"}', NULL, 'req-hNJClt8mYvgdPs');
INSERT INTO public.audit_events VALUES (14, '2026-11-30 13:08:27.178249+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-issued', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "cff6d84d-52ee-4ea5-92d2-57f3c84556f2", "keyId": "7e0ab2ed-31b1-427e-9766-99cc6ed5d1bf", "displayName": "keyturn billing g2 alz5l22phd", "hint": "GpS", "generation": 2, "endsAt": "2027-02-01T13:08:27.000Z"}', NULL, NULL);
INSERT INTO public.audit_events VALUES (15, '2026-11-30 13:08:27.245888+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-revoked', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": null, "keyId": "9b810e76-6ec9-4286-a3ca-828dd5f4b3b2", "displayName": "secret 1", "hint": "vAb", "generation": 0, "endsAt": "2028-11-29T13:08:25.048Z"}', 'credential-revoked:0cf903ea-8976-4c57-a616-5dddf78ffb25:2026-11-30T13:08:26.695074+00:00', NULL);
INSERT INTO public.audit_events VALUES (16, '2026-11-30 13:08:27.518417+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'rotation-run-succeeded', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "cff6d84d-52ee-4ea5-92d2-57f3c84556f2", "reason": "manual", "published": {"keyId": "7e0ab2ed-31b1-427e-9766-99cc6ed5d1bf", "displayName": "keyturn billing g2 alz5l22phd", "hint": "GpS", "generation": 2, "endsAt": "2027-02-01T13:08:27.000Z"}}', 'run-end:cff6d84d-52ee-4ea5-92d2-57f3c84556f2', NULL);
INSERT INTO public.audit_events VALUES (17, '2026-11-30 13:08:27.768544+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'rotation-run-requested', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "1170376d-31c4-4575-b817-b170c639ab88", "reason": "manual"}', NULL, 'req-oMaqXQYaTdvwC9');
INSERT INTO public.audit_events VALUES (18, '2026-11-30 13:08:27.919486+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-issued', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "1170376d-31c4-4575-b817-b170c639ab88", "keyId": "8afd2973-f863-4958-8e75-f4ba60d6c766", "displayName": "keyturn billing g3 yxlotv6hy6", "hint": "4SP", "generation": 3, "endsAt": "2027-02-01T13:08:27.000Z"}', NULL, NULL);
INSERT INTO public.audit_events VALUES (19, '2026-11-30 13:08:27.994091+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-revoked', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "78bd8196-9465-497a-a7fc-3c632248f19a", "keyId": "ee52bdb6-d102-4a15-99ed-17e3cc0e95ee", "displayName": "keyturn billing g1 rk4ztsdlsf", "hint": "P0p", "generation": 1, "endsAt": "2027-02-01T13:08:26.000Z"}', 'credential-revoked:e7b4daa6-8611-4502-a6a1-00e779d5ef95:2026-11-30T13:08:27.518417+00:00', NULL);
INSERT INTO public.audit_events VALUES (21, '2026-11-30 13:08:28.381794+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'credential-revoked', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "cff6d84d-52ee-4ea5-92d2-57f3c84556f2", "keyId": "7e0ab2ed-31b1-427e-9766-99cc6ed5d1bf", "displayName": "keyturn billing g2 alz5l22phd", "hint": "GpS", "generation": 2, "endsAt": "2027-02-01T13:08:27.000Z"}', 'credential-revoked:fdcb86ef-4688-44c6-afb4-61dcc21e73fd:2026-11-30T13:08:28.127809+00:00', NULL);
INSERT INTO public.audit_events VALUES (20, '2026-11-30 13:08:28.127809+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'platform', NULL, 'Keyturn', 'rotation-run-succeeded', 'rotation', '7a23557a-a089-42e6-9052-9ecc036257ba', '{"connectionId": "1fc21608-8b91-48b8-a792-7f6dd833655a", "applicationObjectId": "1e2feb89-414c-443c-9027-c4d1c386bbc4", "appId": "78e51061-7311-48a3-82ce-6f447ed4d57b", "runId": "1170376d-31c4-4575-b817-b170c639ab88", "reason": "manual", "published": {"keyId": "8afd2973-f863-4958-8e75-f4ba60d6c766", "displayName": "keyturn billing g3 yxlotv6hy6", "hint": "4SP", "generation": 3, "endsAt": "2027-02-01T13:08:27.000Z"}}', 'run-end:1170376d-31c4-4575-b817-b170c639ab88', NULL);
INSERT INTO public.audit_events VALUES (22, '2026-11-30 13:08:28.464198+00', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'identity', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', 'Admin identity', 'create-app-connection', 'app-connection', '2fab25d9-e346-4225-9086-91f717d0c83f', '{"name": "still", "app": "azure-client-secrets", "method": "client-secret", "credentialsUpdated": true}', NULL, 'req-vV00PndmzlM1Co');
INSERT INTO public.client_secrets VALUES ('ca586d31-2e6f-4cff-a2bd-47c93728b78d', '7dac2178-c4f1-40dc-99ac-ea10586482b3', '', 'rvnl', '$argon2id$v=19$m=19456,t=2,p=1$VGbompzw+7LZlg5565CqAQ$5u2kynNBbhrsKfjcv95qdnnNj7ikB5/7FH28u5x29ZQ', 0, 0, 0, false, '2026-11-30 13:08:25.015779+00', '2026-11-30 13:08:25.015779+00');
INSERT INTO public.credentials VALUES ('fdcb86ef-4688-44c6-afb4-61dcc21e73fd', '7a23557a-a089-42e6-9052-9ecc036257ba', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '1e2feb89-414c-443c-9027-c4d1c386bbc4', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 2, 'revoked', false, 'keyturn billing g2 alz5l22phd', '7e0ab2ed-31b1-427e-9766-99cc6ed5d1bf', 'GpS', NULL, '2026-11-30 13:08:27.163662+00', '2027-02-01 13:08:27+00', 6, false, 1, '2026-11-30 13:08:28.177364+00', 3, 0, '2026-11-30 13:08:27.509751+00', '2026-11-30 13:08:28.127809+00', '2026-11-30 13:08:28.167245+00', NULL, 0, '2026-11-30 13:08:27.125483+00', '2026-11-30 13:08:27.157726+00', '2026-11-30 13:08:27.177787+00', '2026-11-30 13:08:27.509751+00', '2026-11-30 13:08:27.518417+00', '2026-11-30 13:08:28.127809+00', '1170376d-31c4-4575-b817-b170c639ab88', '2026-11-30 13:08:28.381794+00', NULL);
INSERT INTO public.credentials VALUES ('0cf903ea-8976-4c57-a616-5dddf78ffb25', '7a23557a-a089-42e6-9052-9ecc036257ba', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '1e2feb89-414c-443c-9027-c4d1c386bbc4', NULL, 0, 'revoked', true, 'secret 1', '9b810e76-6ec9-4286-a3ca-828dd5f4b3b2', 'vAb', NULL, '2026-11-30 13:08:25.048204+00', '2028-11-29 13:08:25.048204+00', 0, false, 1, '2026-11-30 13:08:26.817355+00', 0, 0, NULL, '2026-11-30 13:08:26.695074+00', '2026-11-30 13:08:26.788654+00', NULL, 0, '2026-11-30 13:08:25.972251+00', NULL, NULL, NULL, '2026-11-30 13:08:25.972251+00', '2026-11-30 13:08:26.695074+00', '78bd8196-9465-497a-a7fc-3c632248f19a', '2026-11-30 13:08:27.245888+00', NULL);
INSERT INTO public.credentials VALUES ('e7b4daa6-8611-4502-a6a1-00e779d5ef95', '7a23557a-a089-42e6-9052-9ecc036257ba', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '1e2feb89-414c-443c-9027-c4d1c386bbc4', '78bd8196-9465-497a-a7fc-3c632248f19a', 1, 'revoked', false, 'keyturn billing g1 rk4ztsdlsf', 'ee52bdb6-d102-4a15-99ed-17e3cc0e95ee', 'P0p', NULL, '2026-11-30 13:08:26.209519+00', '2027-02-01 13:08:26+00', 3, false, 1, '2026-11-30 13:08:27.613374+00', 3, 0, '2026-11-30 13:08:26.690176+00', '2026-11-30 13:08:27.518417+00', '2026-11-30 13:08:27.592266+00', NULL, 0, '2026-11-30 13:08:26.188639+00', '2026-11-30 13:08:26.197678+00', '2026-11-30 13:08:26.229425+00', '2026-11-30 13:08:26.690176+00', '2026-11-30 13:08:26.695074+00', '2026-11-30 13:08:27.518417+00', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', '2026-11-30 13:08:27.994091+00', NULL);
INSERT INTO public.credentials VALUES ('836c706e-a876-4165-bfd6-fe118ad0db12', '7a23557a-a089-42e6-9052-9ecc036257ba', '0ffe311b-a4ff-456c-b822-c4303a6ce824', '1e2feb89-414c-443c-9027-c4d1c386bbc4', '1170376d-31c4-4575-b817-b170c639ab88', 3, 'current', false, 'keyturn billing g3 yxlotv6hy6', '8afd2973-f863-4958-8e75-f4ba60d6c766', '4SP', 'k1.afhatjgz.wtaexnA2cPitUo93iSehWxD3HpC6LAbkeIqug0B3qoGiI2VUyT_EMuvKV8htTnxkAvZ5rzLYqdBS3Euus_fVNSobFA0', '2026-11-30 13:08:27.898449+00', '2027-02-01 13:08:27+00', 8, false, 0, NULL, 3, 0, '2026-11-30 13:08:28.123789+00', NULL, NULL, NULL, 0, '2026-11-30 13:08:27.857414+00', '2026-11-30 13:08:27.887028+00', '2026-11-30 13:08:27.91737+00', '2026-11-30 13:08:28.123789+00', '2026-11-30 13:08:28.127809+00', NULL, NULL, NULL, NULL);
INSERT INTO public.data_keys VALUES ('afhatjgz', '5be879e8b479a050', 'W_QIcbbWUWnDKN7eFyLee8ukIjtQFGS0VjTSch6Sr-FgMT8ZEfYJLLHyHTZAyg6q6W1-7_fmwAejRYS6', '2026-11-30 13:08:22.145877+00', NULL, 0);
INSERT INTO public.environments VALUES ('264d3f85-6d7c-49b5-addd-17f56980ff50', '053091a9-b981-4ab0-8754-f6708bfadea2', 'Development', 'dev', 1, '2026-11-30 13:08:24.306587+00', '2026-11-30 13:08:24.306587+00');
INSERT INTO public.environments VALUES ('9a0de9ef-f693-4cf1-a65d-d51be0b88f0f', '053091a9-b981-4ab0-8754-f6708bfadea2', 'Staging', 'staging', 2, '2026-11-30 13:08:24.306587+00', '2026-11-30 13:08:24.306587+00');
INSERT INTO public.environments VALUES ('afd6bfbb-aaa5-488b-968e-d1dba89df999', '053091a9-b981-4ab0-8754-f6708bfadea2', 'Production', 'prod', 3, '2026-11-30 13:08:24.306587+00', '2026-11-30 13:08:24.306587+00');
INSERT INTO public.identities VALUES ('2ad82827-600a-41ef-9bd1-ae3c4d665a14', '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'Admin identity', 'admin', false, '[]', '2026-11-30 13:08:24.178465+00', '2026-11-30 13:08:24.178465+00');
INSERT INTO public.identities VALUES ('f5b94f7d-1acb-4d31-b61a-dc77152bea5c', '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'deployer', 'member', false, '[]', '2026-11-30 13:08:24.740551+00', '2026-11-30 13:08:24.740551+00');
INSERT INTO public.leases VALUES ('1e2feb89-414c-443c-9027-c4d1c386bbc4', NULL, 10, '2026-11-30 13:08:28.39691+00');
INSERT INTO public.observed_keys VALUES ('584ca6c7-2923-4f23-aa66-7e8053501bba', '7a23557a-a089-42e6-9052-9ecc036257ba', '9b810e76-6ec9-4286-a3ca-828dd5f4b3b2', 'secret 1', 'vAb', '2026-11-30 13:08:25.048204+00', '2028-11-29 13:08:25.048204+00', true, '2026-11-30 13:08:26.130129+00', '2026-11-30 13:08:27.12032+00');
INSERT INTO public.observed_keys VALUES ('f9e4f659-f11c-415d-8898-271ca48dee7b', '7a23557a-a089-42e6-9052-9ecc036257ba', '7e0ab2ed-31b1-427e-9766-99cc6ed5d1bf', 'keyturn billing g2 alz5l22phd', 'GpS', '2026-11-30 13:08:27.163662+00', '2027-02-01 13:08:27+00', true, '2026-11-30 13:08:27.814212+00', NULL);
INSERT INTO public.observed_keys VALUES ('ca8c2774-7cf4-4dd0-8a45-726e43ca044d', '7a23557a-a089-42e6-9052-9ecc036257ba', 'ee52bdb6-d102-4a15-99ed-17e3cc0e95ee', 'keyturn billing g1 rk4ztsdlsf', 'P0p', '2026-11-30 13:08:26.209519+00', '2027-02-01 13:08:26+00', true, '2026-11-30 13:08:27.118667+00', '2026-11-30 13:08:27.833395+00');
INSERT INTO public.organizations VALUES ('0ffe311b-a4ff-456c-b822-c4303a6ce824', 'Contoso', 'contoso', '2026-11-30 13:08:24.178465+00', '2026-11-30 13:08:24.178465+00');
INSERT INTO public.project_members VALUES ('026189db-7e64-4c52-82a0-747753b85d2b', '053091a9-b981-4ab0-8754-f6708bfadea2', '2ad82827-600a-41ef-9bd1-ae3c4d665a14', NULL, 'admin', '2026-11-30 13:08:24.306587+00', '2026-11-30 13:08:24.306587+00');
INSERT INTO public.project_members VALUES ('232abc83-c8cd-4c3e-9369-94a92a0eda96', '053091a9-b981-4ab0-8754-f6708bfadea2', NULL, '50cd7275-1af0-4702-a8cc-b7e44bf4d764', 'viewer', '2026-11-30 13:08:24.589033+00', '2026-11-30 13:08:24.589033+00');
INSERT INTO public.projects VALUES ('053091a9-b981-4ab0-8754-f6708bfadea2', '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'Payments', 'payments', NULL, false, '2026-11-30 13:08:24.306587+00', '2026-11-30 13:08:24.306587+00');
INSERT INTO public.rotations VALUES ('7a23557a-a089-42e6-9052-9ecc036257ba', 'connection', '1fc21608-8b91-48b8-a792-7f6dd833655a', '0ffe311b-a4ff-456c-b822-c4303a6ce824', NULL, 'billing', 'global', 'cd613e30-d8f1-4adf-91b7-584a2265b1f5', '78e51061-7311-48a3-82ce-6f447ed4d57b', '1e2feb89-414c-443c-9027-c4d1c386bbc4', 'billing', 30, 2, 15, 'UTC', true, false, 'client-secret', NULL, false, 'until-proven', 3, '{"at": "2026-11-30T13:08:28.127809+00:00", "scheduled": false}', '2026-12-31 02:15:00+00', '2026-11-30 13:09:28.127809+00', '2026-11-30 13:09:28.127809+00', NULL, 'success', NULL, 0, '2026-11-30 13:08:27.768544+00', '2026-11-30 13:08:28.127809+00', '2026-11-30 13:08:25.95232+00', '2026-11-30 13:08:28.127809+00');
INSERT INTO public.run_steps VALUES (1, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', NULL, 'inspect', 'done', '2026-11-30 13:08:26.071722+00', '2026-11-30 13:08:26.157571+00', 1, NULL);
INSERT INTO public.run_steps VALUES (2, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', NULL, 'plan', 'done', '2026-11-30 13:08:26.188628+00', '2026-11-30 13:08:26.19253+00', 1, NULL);
INSERT INTO public.run_steps VALUES (3, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'announce', 'done', '2026-11-30 13:08:26.196477+00', '2026-11-30 13:08:26.201406+00', 1, NULL);
INSERT INTO public.run_steps VALUES (4, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'issue', 'done', '2026-11-30 13:08:26.205017+00', '2026-11-30 13:08:26.237625+00', 1, NULL);
INSERT INTO public.run_steps VALUES (5, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'prove', 'done', '2026-11-30 13:08:26.241909+00', '2026-11-30 13:08:26.692226+00', 3, NULL);
INSERT INTO public.run_steps VALUES (6, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'publish', 'done', '2026-11-30 13:08:26.695066+00', '2026-11-30 13:08:26.745713+00', 1, NULL);
INSERT INTO public.run_steps VALUES (7, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', '0cf903ea-8976-4c57-a616-5dddf78ffb25', 'retire', 'done', '2026-11-30 13:08:26.758183+00', '2026-11-30 13:08:26.761395+00', 1, NULL);
INSERT INTO public.run_steps VALUES (8, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', '0cf903ea-8976-4c57-a616-5dddf78ffb25', 'remove', 'done', '2026-11-30 13:08:26.772618+00', '2026-11-30 13:08:26.801401+00', 1, NULL);
INSERT INTO public.run_steps VALUES (9, '7a23557a-a089-42e6-9052-9ecc036257ba', '78bd8196-9465-497a-a7fc-3c632248f19a', '0cf903ea-8976-4c57-a616-5dddf78ffb25', 'confirm', 'done', '2026-11-30 13:08:26.804308+00', '2026-11-30 13:08:26.82139+00', 1, NULL);
INSERT INTO public.run_steps VALUES (10, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', NULL, 'inspect', 'done', '2026-11-30 13:08:27.083709+00', '2026-11-30 13:08:27.121346+00', 1, NULL);
INSERT INTO public.run_steps VALUES (11, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', NULL, 'plan', 'done', '2026-11-30 13:08:27.125473+00', '2026-11-30 13:08:27.140249+00', 1, NULL);
INSERT INTO public.run_steps VALUES (12, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'announce', 'done', '2026-11-30 13:08:27.149305+00', '2026-11-30 13:08:27.158189+00', 1, NULL);
INSERT INTO public.run_steps VALUES (13, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'issue', 'done', '2026-11-30 13:08:27.162737+00', '2026-11-30 13:08:27.178695+00', 1, NULL);
INSERT INTO public.run_steps VALUES (14, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'prove', 'done', '2026-11-30 13:08:27.180957+00', '2026-11-30 13:08:27.198175+00', 1, NULL);
INSERT INTO public.run_steps VALUES (15, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', '0cf903ea-8976-4c57-a616-5dddf78ffb25', 'confirm', 'done', '2026-11-30 13:08:27.206606+00', '2026-11-30 13:08:27.249456+00', 1, NULL);
INSERT INTO public.run_steps VALUES (16, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'prove', 'done', '2026-11-30 13:08:27.277154+00', '2026-11-30 13:08:27.510495+00', 2, NULL);
INSERT INTO public.run_steps VALUES (17, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'publish', 'done', '2026-11-30 13:08:27.518408+00', '2026-11-30 13:08:27.533397+00', 1, NULL);
INSERT INTO public.run_steps VALUES (18, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'retire', 'done', '2026-11-30 13:08:27.534702+00', '2026-11-30 13:08:27.555179+00', 1, NULL);
INSERT INTO public.run_steps VALUES (19, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'remove', 'done', '2026-11-30 13:08:27.564944+00', '2026-11-30 13:08:27.598197+00', 1, NULL);
INSERT INTO public.run_steps VALUES (20, '7a23557a-a089-42e6-9052-9ecc036257ba', 'cff6d84d-52ee-4ea5-92d2-57f3c84556f2', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'confirm', 'done', '2026-11-30 13:08:27.605475+00', '2026-11-30 13:08:27.620421+00', 1, NULL);
INSERT INTO public.run_steps VALUES (21, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', NULL, 'inspect', 'done', '2026-11-30 13:08:27.774628+00', '2026-11-30 13:08:27.844389+00', 1, NULL);
INSERT INTO public.run_steps VALUES (22, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', NULL, 'plan', 'done', '2026-11-30 13:08:27.857402+00', '2026-11-30 13:08:27.881428+00', 1, NULL);
INSERT INTO public.run_steps VALUES (23, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', '836c706e-a876-4165-bfd6-fe118ad0db12', 'announce', 'done', '2026-11-30 13:08:27.886507+00', '2026-11-30 13:08:27.88737+00', 1, NULL);
INSERT INTO public.run_steps VALUES (24, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', '836c706e-a876-4165-bfd6-fe118ad0db12', 'issue', 'done', '2026-11-30 13:08:27.897462+00', '2026-11-30 13:08:27.92142+00', 1, NULL);
INSERT INTO public.run_steps VALUES (25, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', '836c706e-a876-4165-bfd6-fe118ad0db12', 'prove', 'done', '2026-11-30 13:08:27.9227+00', '2026-11-30 13:08:27.949418+00', 1, NULL);
INSERT INTO public.run_steps VALUES (26, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', 'e7b4daa6-8611-4502-a6a1-00e779d5ef95', 'confirm', 'done', '2026-11-30 13:08:27.955916+00', '2026-11-30 13:08:27.996499+00', 1, NULL);
INSERT INTO public.run_steps VALUES (27, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', '836c706e-a876-4165-bfd6-fe118ad0db12', 'prove', 'done', '2026-11-30 13:08:28.046424+00', '2026-11-30 13:08:28.125824+00', 2, NULL);
INSERT INTO public.run_steps VALUES (28, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', '836c706e-a876-4165-bfd6-fe118ad0db12', 'publish', 'done', '2026-11-30 13:08:28.127801+00', '2026-11-30 13:08:28.138912+00', 1, NULL);
INSERT INTO public.run_steps VALUES (29, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'retire', 'done', '2026-11-30 13:08:28.140275+00', '2026-11-30 13:08:28.145361+00', 1, NULL);
INSERT INTO public.run_steps VALUES (30, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'remove', 'done', '2026-11-30 13:08:28.153876+00', '2026-11-30 13:08:28.167696+00', 1, NULL);
INSERT INTO public.run_steps VALUES (31, '7a23557a-a089-42e6-9052-9ecc036257ba', '1170376d-31c4-4575-b817-b170c639ab88', 'fdcb86ef-4688-44c6-afb4-61dcc21e73fd', 'confirm', 'done', '2026-11-30 13:08:28.168716+00', '2026-11-30 13:08:28.383928+00', 2, NULL);
INSERT INTO public.runs VALUES ('78bd8196-9465-497a-a7fc-3c632248f19a', '7a23557a-a089-42e6-9052-9ecc036257ba', 'enabled', 'succeeded', '{"kind": "identity", "id": "2ad82827-600a-41ef-9bd1-ae3c4d665a14", "name": "Admin identity"}', NULL, 1, 0, '2026-11-30 13:08:26.156197+00', NULL, '2026-11-30 13:08:25.985459+00', '2026-11-30 13:08:26.156198+00', '2026-11-30 13:08:26.695074+00', 'null');
INSERT INTO public.runs VALUES ('cff6d84d-52ee-4ea5-92d2-57f3c84556f2', '7a23557a-a089-42e6-9052-9ecc036257ba', 'manual', 'succeeded', '{"kind": "identity", "id": "2ad82827-600a-41ef-9bd1-ae3c4d665a14", "name": "Admin identity"}', NULL, 2, 0, '2026-11-30 13:08:27.121085+00', NULL, '2026-11-30 13:08:27.01772+00', '2026-11-30 13:08:27.121087+00', '2026-11-30 13:08:27.518417+00', 'null');
INSERT INTO public.runs VALUES ('1170376d-31c4-4575-b817-b170c639ab88', '7a23557a-a089-42e6-9052-9ecc036257ba', 'manual', 'succeeded', '{"kind": "identity", "id": "2ad82827-600a-41ef-9bd1-ae3c4d665a14", "name": "Admin identity"}', NULL, 3, 0, '2026-11-30 13:08:27.84137+00', NULL, '2026-11-30 13:08:27.768544+00', '2026-11-30 13:08:27.841373+00', '2026-11-30 13:08:28.127809+00', 'null');
INSERT INTO public.universal_auths VALUES ('7dac2178-c4f1-40dc-99ac-ea10586482b3', 'f5b94f7d-1acb-4d31-b61a-dc77152bea5c', '6a58309f-49ce-4fa7-b31b-19807dfb74f4', 2592000, 2592000, 0, 0, '["0.0.0.0/0", "::/0"]', '["0.0.0.0/0", "::/0"]', true, 3, 300, 30, 0, NULL, NULL, '2026-11-30 13:08:24.845088+00', '2026-11-30 13:08:24.845088+00');
INSERT INTO public.users VALUES ('28c533ca-4b07-48f6-bc16-51541f9e3a79', '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'ada@example.com', '', '', '$argon2id$v=19$m=19456,t=2,p=1$yqicuQuplYVNiAyaWl33WA$Y0qngvkMkM4SRi7hzyka4FlvDxJFzKq0P7Yo0fhnSq4', 'admin', true, 0, NULL, NULL, '2026-11-30 13:08:23.93861+00', '2026-11-30 13:08:23.93861+00');
INSERT INTO public.users VALUES ('50cd7275-1af0-4702-a8cc-b7e44bf4d764', '0ffe311b-a4ff-456c-b822-c4303a6ce824', 'bob@example.com', '', '', '$argon2id$v=19$m=19456,t=2,p=1$6cIQrhT0uI+t8Rwff/MdOg$sr9Ee+jhiCqYm0yYNQLmLvhSuEYFbvgXYO4wxqk9kIM', 'member', false, 0, NULL, NULL, '2026-11-30 13:08:24.42201+00', '2026-11-30 13:08:24.42201+00');
SELECT pg_catalog.setval('public.audit_events_id_seq', 22, true);
SELECT pg_catalog.setval('public.run_steps_id_seq', 31, true);
ALTER TABLE ONLY dbos.application_versions
    ADD CONSTRAINT application_versions_pkey PRIMARY KEY (version_id);
ALTER TABLE ONLY dbos.application_versions
    ADD CONSTRAINT application_versions_version_name_key UNIQUE (version_name);
ALTER TABLE ONLY dbos.dbos_migrations
    ADD CONSTRAINT dbos_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY dbos.event_dispatch_kv
    ADD CONSTRAINT event_dispatch_kv_pkey PRIMARY KEY (service_name, workflow_fn_name, key);
ALTER TABLE ONLY dbos.notifications
    ADD CONSTRAINT notifications_pkey PRIMARY KEY (message_uuid);
ALTER TABLE ONLY dbos.operation_outputs
    ADD CONSTRAINT operation_outputs_pkey PRIMARY KEY (workflow_uuid, function_id);
ALTER TABLE ONLY dbos.queues
    ADD CONSTRAINT queues_name_key UNIQUE (name);
ALTER TABLE ONLY dbos.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (queue_id);
ALTER TABLE ONLY dbos.streams
    ADD CONSTRAINT streams_pkey PRIMARY KEY (workflow_uuid, key, "offset");
ALTER TABLE ONLY dbos.workflow_events_history
    ADD CONSTRAINT workflow_events_history_pkey PRIMARY KEY (workflow_uuid, function_id, key);
ALTER TABLE ONLY dbos.workflow_events
    ADD CONSTRAINT workflow_events_pkey PRIMARY KEY (workflow_uuid, key);
ALTER TABLE ONLY dbos.workflow_input
    ADD CONSTRAINT workflow_input_pkey PRIMARY KEY (workflow_uuid);
ALTER TABLE ONLY dbos.workflow_output
    ADD CONSTRAINT workflow_output_pkey PRIMARY KEY (workflow_uuid);
ALTER TABLE ONLY dbos.workflow_schedules
    ADD CONSTRAINT workflow_schedules_pkey PRIMARY KEY (schedule_id);
ALTER TABLE ONLY dbos.workflow_schedules
    ADD CONSTRAINT workflow_schedules_schedule_name_key UNIQUE (schedule_name);
ALTER TABLE ONLY dbos.workflow_status
    ADD CONSTRAINT workflow_status_pkey PRIMARY KEY (workflow_uuid);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT pk_access_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.app_connections
    ADD CONSTRAINT pk_app_connections PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT pk_audit_events PRIMARY KEY (id);
ALTER TABLE ONLY public.client_secrets
    ADD CONSTRAINT pk_client_secrets PRIMARY KEY (id);
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT pk_credentials PRIMARY KEY (id);
ALTER TABLE ONLY public.data_keys
    ADD CONSTRAINT pk_data_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.environments
    ADD CONSTRAINT pk_environments PRIMARY KEY (id);
ALTER TABLE ONLY public.identities
    ADD CONSTRAINT pk_identities PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT pk_leases PRIMARY KEY (object_id);
ALTER TABLE ONLY public.oauth_flows
    ADD CONSTRAINT pk_oauth_flows PRIMARY KEY (id);
ALTER TABLE ONLY public.oauth_tokens
    ADD CONSTRAINT pk_oauth_tokens PRIMARY KEY (connection_id);
ALTER TABLE ONLY public.observed_keys
    ADD CONSTRAINT pk_observed_keys PRIMARY KEY (id);
ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT pk_organizations PRIMARY KEY (id);
ALTER TABLE ONLY public.processes
    ADD CONSTRAINT pk_processes PRIMARY KEY (id);
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT pk_project_members PRIMARY KEY (id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT pk_projects PRIMARY KEY (id);
ALTER TABLE ONLY public.rotations
    ADD CONSTRAINT pk_rotations PRIMARY KEY (id);
ALTER TABLE ONLY public.run_steps
    ADD CONSTRAINT pk_run_steps PRIMARY KEY (id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT pk_runs PRIMARY KEY (id);
ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT pk_second_factors PRIMARY KEY (user_id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT pk_sessions PRIMARY KEY (id);
ALTER TABLE ONLY public.universal_auths
    ADD CONSTRAINT pk_universal_auths PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT uq_access_tokens_digest UNIQUE (digest);
ALTER TABLE ONLY public.app_connections
    ADD CONSTRAINT uq_app_connections_scope_name UNIQUE (scope, name);
ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT uq_audit_events_once UNIQUE (once);
ALTER TABLE ONLY public.environments
    ADD CONSTRAINT uq_environments_project_id_slug UNIQUE (project_id, slug);
ALTER TABLE ONLY public.oauth_flows
    ADD CONSTRAINT uq_oauth_flows_digest UNIQUE (digest);
ALTER TABLE ONLY public.observed_keys
    ADD CONSTRAINT uq_observed_keys_rotation_id_key_id UNIQUE (rotation_id, key_id);
ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT uq_organizations_slug UNIQUE (slug);
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT uq_project_members_project_id_identity_id UNIQUE (project_id, identity_id);
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT uq_project_members_project_id_user_id UNIQUE (project_id, user_id);
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT uq_projects_slug UNIQUE (slug);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT uq_sessions_digest UNIQUE (digest);
ALTER TABLE ONLY public.universal_auths
    ADD CONSTRAINT uq_universal_auths_client_id UNIQUE (client_id);
ALTER TABLE ONLY public.universal_auths
    ADD CONSTRAINT uq_universal_auths_identity_id UNIQUE (identity_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_email UNIQUE (email);
CREATE INDEX idx_application_versions_owner_timestamp ON dbos.application_versions USING btree (application_name, version_timestamp DESC);
CREATE INDEX idx_application_versions_timestamp ON dbos.application_versions USING btree (version_timestamp DESC);
CREATE INDEX idx_operation_outputs_completed_at_function_name_v2 ON dbos.operation_outputs USING btree (completed_at_epoch_ms, function_name) INCLUDE (application_name);
CREATE INDEX idx_operation_outputs_retention ON dbos.operation_outputs USING btree (retention_timestamp);
CREATE INDEX idx_workflow_input_retention ON dbos.workflow_input USING btree (retention_timestamp);
CREATE INDEX idx_workflow_output_retention ON dbos.workflow_output USING btree (retention_timestamp);
CREATE INDEX idx_workflow_status_attributes ON dbos.workflow_status USING gin (attributes) WHERE (attributes IS NOT NULL);
CREATE INDEX idx_workflow_status_completed_at ON dbos.workflow_status USING btree (completed_at) WHERE (completed_at IS NOT NULL);
CREATE INDEX idx_workflow_status_deadline ON dbos.workflow_status USING btree (workflow_deadline_epoch_ms) WHERE ((status = ANY (ARRAY['ENQUEUED'::text, 'PENDING'::text, 'DELAYED'::text])) AND (workflow_deadline_epoch_ms IS NOT NULL));
CREATE INDEX idx_workflow_status_delayed ON dbos.workflow_status USING btree (delay_until_epoch_ms) WHERE (status = 'DELAYED'::text);
CREATE INDEX idx_workflow_status_failed ON dbos.workflow_status USING btree (status, created_at) WHERE (status = ANY (ARRAY['ERROR'::text, 'CANCELLED'::text, 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'::text]));
CREATE INDEX idx_workflow_status_forked_from ON dbos.workflow_status USING btree (forked_from) WHERE (forked_from IS NOT NULL);
CREATE INDEX idx_workflow_status_in_flight_v2 ON dbos.workflow_status USING btree (queue_name, status, priority, created_at) INCLUDE (application_name) WHERE (status = ANY (ARRAY['ENQUEUED'::text, 'PENDING'::text]));
CREATE INDEX idx_workflow_status_parent_workflow_id ON dbos.workflow_status USING btree (parent_workflow_id) WHERE (parent_workflow_id IS NOT NULL);
CREATE INDEX idx_workflow_status_partition_dequeue_v3 ON dbos.workflow_status USING btree (queue_name, status, queue_partition_key, priority, created_at, workflow_uuid) INCLUDE (application_name) WHERE ((status = ANY (ARRAY['ENQUEUED'::text, 'PENDING'::text])) AND (queue_partition_key IS NOT NULL));
CREATE INDEX idx_workflow_status_pending ON dbos.workflow_status USING btree (created_at) WHERE (status = 'PENDING'::text);
CREATE INDEX idx_workflow_status_rate_limited ON dbos.workflow_status USING btree (queue_name, started_at_epoch_ms) WHERE (rate_limited = true);
CREATE INDEX idx_workflow_status_schedule_name ON dbos.workflow_status USING btree (schedule_name) WHERE (schedule_name IS NOT NULL);
CREATE INDEX idx_workflow_status_started_at ON dbos.workflow_status USING btree (started_at_epoch_ms) WHERE (started_at_epoch_ms IS NOT NULL);
CREATE INDEX idx_workflow_topic ON dbos.notifications USING btree (destination_uuid, topic);
CREATE UNIQUE INDEX uq_application_versions_owner_version ON dbos.application_versions USING btree (application_name, version_name) WHERE (application_name IS NOT NULL);
CREATE UNIQUE INDEX uq_application_versions_unclaimed_version ON dbos.application_versions USING btree (version_name) WHERE (application_name IS NULL);
CREATE UNIQUE INDEX uq_workflow_status_dedup_id ON dbos.workflow_status USING btree (queue_name, deduplication_id) WHERE (deduplication_id IS NOT NULL);
CREATE INDEX workflow_status_created_at_index ON dbos.workflow_status USING btree (created_at);
CREATE INDEX ix_access_tokens_client_secret_id ON public.access_tokens USING btree (client_secret_id);
CREATE INDEX ix_access_tokens_identity_id ON public.access_tokens USING btree (identity_id);
CREATE INDEX ix_access_tokens_user_id ON public.access_tokens USING btree (user_id);
CREATE INDEX ix_app_connections_in_order ON public.app_connections USING btree (org_id, app, name, id, project_id);
CREATE INDEX ix_app_connections_org_id ON public.app_connections USING btree (org_id);
CREATE INDEX ix_app_connections_project_id ON public.app_connections USING btree (project_id);
CREATE INDEX ix_audit_events_at ON public.audit_events USING btree (at);
CREATE INDEX ix_audit_events_org_id ON public.audit_events USING btree (org_id);
CREATE INDEX ix_audit_events_subject_id ON public.audit_events USING btree (subject_id);
CREATE INDEX ix_client_secrets_prefix ON public.client_secrets USING btree (prefix);
CREATE INDEX ix_client_secrets_universal_auth_id ON public.client_secrets USING btree (universal_auth_id);
CREATE INDEX ix_credentials_key_id ON public.credentials USING btree (key_id);
CREATE INDEX ix_credentials_object_id ON public.credentials USING btree (object_id);
CREATE INDEX ix_credentials_object_id_marker ON public.credentials USING btree (object_id, marker);
CREATE INDEX ix_credentials_rotation_id ON public.credentials USING btree (rotation_id);
CREATE INDEX ix_credentials_run_id ON public.credentials USING btree (run_id);
CREATE INDEX ix_environments_project_id ON public.environments USING btree (project_id);
CREATE INDEX ix_identities_org_id ON public.identities USING btree (org_id);
CREATE INDEX ix_oauth_flows_expires_at ON public.oauth_flows USING btree (expires_at);
CREATE INDEX ix_oauth_flows_org_id ON public.oauth_flows USING btree (org_id);
CREATE INDEX ix_oauth_tokens_refresh_due_at ON public.oauth_tokens USING btree (refresh_due_at);
CREATE INDEX ix_observed_keys_rotation_id ON public.observed_keys USING btree (rotation_id);
CREATE INDEX ix_processes_seen_at ON public.processes USING btree (seen_at);
CREATE INDEX ix_project_members_identity_id ON public.project_members USING btree (identity_id);
CREATE INDEX ix_project_members_project_id ON public.project_members USING btree (project_id);
CREATE INDEX ix_project_members_user_id ON public.project_members USING btree (user_id);
CREATE INDEX ix_projects_org_id ON public.projects USING btree (org_id);
CREATE INDEX ix_rotations_connection_id ON public.rotations USING btree (connection_id);
CREATE INDEX ix_rotations_object_id ON public.rotations USING btree (object_id);
CREATE INDEX ix_rotations_org_id ON public.rotations USING btree (org_id);
CREATE INDEX ix_rotations_wake_at ON public.rotations USING btree (wake_at);
CREATE INDEX ix_run_steps_rotation_id ON public.run_steps USING btree (rotation_id);
CREATE INDEX ix_run_steps_run_id ON public.run_steps USING btree (run_id);
CREATE UNIQUE INDEX ix_runs_one_active ON public.runs USING btree (rotation_id) WHERE (finished_at IS NULL);
CREATE INDEX ix_runs_rotation_id ON public.runs USING btree (rotation_id);
CREATE INDEX ix_sessions_user_id ON public.sessions USING btree (user_id);
CREATE INDEX ix_users_org_id ON public.users USING btree (org_id);
CREATE TRIGGER audit_events_no_change BEFORE DELETE OR UPDATE ON public.audit_events FOR EACH ROW EXECUTE FUNCTION public.keyturn_refuse_audit_change();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON public.audit_events FOR EACH STATEMENT EXECUTE FUNCTION public.keyturn_refuse_audit_change();
ALTER TABLE ONLY dbos.notifications
    ADD CONSTRAINT notifications_destination_uuid_fkey FOREIGN KEY (destination_uuid) REFERENCES dbos.workflow_status(workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY dbos.streams
    ADD CONSTRAINT streams_workflow_uuid_fkey FOREIGN KEY (workflow_uuid) REFERENCES dbos.workflow_status(workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY dbos.workflow_events_history
    ADD CONSTRAINT workflow_events_history_workflow_uuid_fkey FOREIGN KEY (workflow_uuid) REFERENCES dbos.workflow_status(workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY dbos.workflow_events
    ADD CONSTRAINT workflow_events_workflow_uuid_fkey FOREIGN KEY (workflow_uuid) REFERENCES dbos.workflow_status(workflow_uuid) ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT fk_access_tokens_identity_id FOREIGN KEY (identity_id) REFERENCES public.identities(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.access_tokens
    ADD CONSTRAINT fk_access_tokens_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.app_connections
    ADD CONSTRAINT fk_app_connections_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.app_connections
    ADD CONSTRAINT fk_app_connections_project_id FOREIGN KEY (project_id) REFERENCES public.projects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.client_secrets
    ADD CONSTRAINT fk_client_secrets_universal_auth_id FOREIGN KEY (universal_auth_id) REFERENCES public.universal_auths(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.credentials
    ADD CONSTRAINT fk_credentials_rotation_id FOREIGN KEY (rotation_id) REFERENCES public.rotations(id);
ALTER TABLE ONLY public.environments
    ADD CONSTRAINT fk_environments_project_id FOREIGN KEY (project_id) REFERENCES public.projects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.identities
    ADD CONSTRAINT fk_identities_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.oauth_flows
    ADD CONSTRAINT fk_oauth_flows_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.oauth_tokens
    ADD CONSTRAINT fk_oauth_tokens_connection_id FOREIGN KEY (connection_id) REFERENCES public.app_connections(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.observed_keys
    ADD CONSTRAINT fk_observed_keys_rotation_id FOREIGN KEY (rotation_id) REFERENCES public.rotations(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT fk_project_members_identity_id FOREIGN KEY (identity_id) REFERENCES public.identities(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT fk_project_members_project_id FOREIGN KEY (project_id) REFERENCES public.projects(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.project_members
    ADD CONSTRAINT fk_project_members_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.projects
    ADD CONSTRAINT fk_projects_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.rotations
    ADD CONSTRAINT fk_rotations_connection_id FOREIGN KEY (connection_id) REFERENCES public.app_connections(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.rotations
    ADD CONSTRAINT fk_rotations_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
ALTER TABLE ONLY public.run_steps
    ADD CONSTRAINT fk_run_steps_rotation_id FOREIGN KEY (rotation_id) REFERENCES public.rotations(id);
ALTER TABLE ONLY public.runs
    ADD CONSTRAINT fk_runs_rotation_id FOREIGN KEY (rotation_id) REFERENCES public.rotations(id);
ALTER TABLE ONLY public.second_factors
    ADD CONSTRAINT fk_second_factors_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT fk_sessions_user_id FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.universal_auths
    ADD CONSTRAINT fk_universal_auths_identity_id FOREIGN KEY (identity_id) REFERENCES public.identities(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.users
    ADD CONSTRAINT fk_users_org_id FOREIGN KEY (org_id) REFERENCES public.organizations(id);
