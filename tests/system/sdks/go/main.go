// What the unmodified Go SDK does with folders and secrets, one step after the other. Ends with "ok", or says which step failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	infisical "github.com/infisical/go-sdk"
	sdkErrors "github.com/infisical/go-sdk/packages/errors"
)

func check(step string, err error) {
	if err != nil {
		fmt.Println(step+":", err)
		os.Exit(1)
	}
}

func expect(step string, got, want any) {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		fmt.Printf("%s: %v instead of %v\n", step, got, want)
		os.Exit(1)
	}
}

func main() {
	client := infisical.NewInfisicalClient(context.Background(), infisical.Config{SiteUrl: os.Args[1]})
	_, err := client.Auth().UniversalAuthLogin(os.Args[2], os.Args[3])
	check("login", err)
	project := os.Args[4]

	folder, err := client.Folders().Create(infisical.CreateFolderOptions{ProjectID: project, Environment: "dev", Name: "go", Path: "/"})
	check("create a folder", err)
	expect("name of the folder", folder.Name, "go")
	folders, err := client.Folders().List(infisical.ListFoldersOptions{ProjectID: project, Environment: "dev", Path: "/"})
	check("list folders", err)
	expect("folders", len(folders) > 0, true)

	made, err := client.Secrets().Create(infisical.CreateSecretOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", SecretKey: "KEY", SecretValue: " kept\n", SecretComment: "why"})
	check("create a secret", err)
	expect("value made", made.SecretValue, " kept\n")
	batch, err := client.Secrets().Batch().Create(infisical.BatchCreateSecretsOptions{
		ProjectID: project, Environment: "dev", SecretPath: "/go",
		Secrets: []infisical.BatchCreateSecret{{SecretKey: "ONE", SecretValue: "1"}, {SecretKey: "REFERENCE", SecretValue: "${ONE}"}},
	})
	check("create a batch", err)
	expect("made at once", len(batch), 2)

	found, err := client.Secrets().Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", SecretKey: "KEY"})
	check("retrieve", err)
	expect("value found", found.SecretValue, " kept\n")
	_, err = client.Secrets().Update(infisical.UpdateSecretOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", SecretKey: "KEY", NewSecretValue: "new"})
	check("update", err)

	listed, err := client.Secrets().ListSecrets(infisical.ListSecretsOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", ExpandSecretReferences: true, IncludeImports: true})
	check("list", err)
	values := map[string]string{}
	for _, secret := range listed.Secrets {
		values[secret.SecretKey] = secret.SecretValue
		expect("path of "+secret.SecretKey, secret.SecretPath, "/go")
	}
	expect("values", values, map[string]string{"KEY": "new", "ONE": "1", "REFERENCE": "1"})

	_, err = client.Secrets().ListSecrets(infisical.ListSecretsOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", ExpandSecretReferences: true, IncludeImports: true, IfNoneMatch: listed.ETag})
	var same *sdkErrors.NotModifiedError
	expect("list what is there already", errors.As(err, &same), true)

	_, err = client.Secrets().Delete(infisical.DeleteSecretOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", SecretKey: "KEY"})
	check("delete", err)
	_, err = client.Secrets().Retrieve(infisical.RetrieveSecretOptions{ProjectID: project, Environment: "dev", SecretPath: "/go", SecretKey: "KEY"})
	expect("retrieve what is gone", err != nil, true)
	check("revoke", client.Auth().RevokeAccessToken())
	fmt.Println("ok")
}
