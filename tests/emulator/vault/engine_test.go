// Package vault runs the Azure secrets engine of HashiCorp Vault, unmodified, against the local Entra ID.
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	azure "github.com/hashicorp/vault-plugin-secrets-azure"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/rotation"
)

type engine struct {
	*testing.T
	logical.Backend
	storage logical.Storage
}

// server is what Vault is to the engine; it knows of no scheduled jobs.
type server struct{ logical.StaticSystemView }

func (server) DeregisterRotationJob(context.Context, *rotation.RotationJobDeregisterRequest) error {
	return nil
}

func start(t *testing.T) engine {
	t.Helper()
	storage := &logical.InmemStorage{}
	view := server{logical.StaticSystemView{DefaultLeaseTTLVal: time.Hour, MaxLeaseTTLVal: 24 * time.Hour}}
	backend, err := azure.Factory(context.Background(), &logical.BackendConfig{System: view, StorageView: storage})
	if err != nil {
		t.Fatal(err)
	}
	started := engine{t, backend, storage}
	started.ask(logical.CreateOperation, "config", map[string]any{
		"tenant_id":       os.Getenv("TENANT"),
		"subscription_id": os.Getenv("SUBSCRIPTION"),
		"client_id":       os.Getenv("CLIENT"),
		"client_secret":   os.Getenv("SECRET"),
	})
	return started
}

func (engine engine) send(request *logical.Request) *logical.Response {
	engine.Helper()
	request.Storage = engine.storage
	response, err := engine.HandleRequest(context.Background(), request)
	if err == nil && response != nil && response.IsError() {
		err = response.Error()
	}
	if err != nil {
		engine.Fatalf("%s %s: %v", request.Operation, request.Path, err)
	}
	return response
}

func (engine engine) ask(operation logical.Operation, path string, data map[string]any) *logical.Response {
	engine.Helper()
	return engine.send(&logical.Request{Operation: operation, Path: path, Data: data})
}

// lease reads credentials of a role, renews and uses them, and revokes them, after which they are of no use.
func (engine engine) lease(role string) {
	engine.Helper()
	leased := engine.ask(logical.ReadOperation, "creds/"+role, nil)
	id, secret := leased.Data["client_id"].(string), leased.Data["client_secret"].(string)
	if id == "" || secret == "" {
		engine.Fatalf("no credentials: %v", leased.Data)
	}
	kept, err := json.Marshal(leased.Secret.InternalData) // as the server keeps leases
	leased.Secret.InternalData = nil
	if err = errors.Join(err, json.Unmarshal(kept, &leased.Secret.InternalData)); err != nil {
		engine.Fatal(err)
	}
	engine.send(&logical.Request{Operation: logical.RenewOperation, Secret: leased.Secret})
	signsIn(engine.T, id, secret, true)
	engine.send(&logical.Request{Operation: logical.RevokeOperation, Secret: leased.Secret})
	signsIn(engine.T, id, secret, false)
}

func TestSecretsOfAnApplicationThatIsThere(t *testing.T) {
	engine := start(t)
	engine.ask(logical.CreateOperation, "roles/there", map[string]any{"application_object_id": os.Getenv("TARGET")})
	engine.lease("there")
}

func TestApplicationsThatAreMadeForARole(t *testing.T) {
	engine := start(t)
	engine.ask(logical.CreateOperation, "roles/made", map[string]any{
		"azure_roles": `[{"role_name": "Reader", "scope": "/subscriptions/` + os.Getenv("SUBSCRIPTION") + `"}]`,
	})
	engine.lease("made")
}

func TestTheSecretOfTheEngineItselfIsReplaced(t *testing.T) {
	engine := start(t)
	engine.ask(logical.UpdateOperation, "rotate-root", nil)
	engine.ask(logical.CreateOperation, "roles/after", map[string]any{"application_object_id": os.Getenv("TARGET")})
	engine.lease("after")
}
