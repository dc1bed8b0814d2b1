// Loads a compose file as Compose does, and prints the names of its services.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions([]string{os.Args[1]}, cli.WithOsEnv, cli.WithInterpolation(true))
	if err == nil {
		project, fault := options.LoadProject(context.Background())
		if err = fault; err == nil {
			for _, name := range project.ServiceNames() {
				fmt.Println(name)
			}
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
