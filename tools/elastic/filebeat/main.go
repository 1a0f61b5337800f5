// Filebeat as this project's tests use it: the program of the module github.com/elastic/beats/v7, built from the Go
// module proxy where Elastic's own package cannot be loaded. Inputs, processors and outputs are those of the
// distribution under the Apache License.
package main

import (
	"os"

	"github.com/elastic/beats/v7/filebeat/cmd"
	inputs "github.com/elastic/beats/v7/filebeat/input/default-inputs"
)

func main() {
	if err := cmd.Filebeat(inputs.Init, cmd.FilebeatSettings("")).Execute(); err != nil {
		os.Exit(1)
	}
}
