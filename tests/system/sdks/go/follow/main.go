// Reads the secrets of an environment with the unmodified Go SDK, once for each line that comes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	infisical "github.com/infisical/go-sdk"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	client := infisical.NewInfisicalClient(context.Background(), infisical.Config{SiteUrl: os.Args[1]})
	_, err := client.Auth().UniversalAuthLogin(os.Args[2], os.Args[3])
	check(err)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		listed, err := client.Secrets().ListSecrets(infisical.ListSecretsOptions{ProjectID: os.Args[4], Environment: "prod", SecretPath: "/"})
		check(err)
		values := map[string]string{}
		for _, secret := range listed.Secrets {
			values[secret.SecretKey] = secret.SecretValue
		}
		answer, err := json.Marshal(values)
		check(err)
		fmt.Println(string(answer))
	}
}
