// A Schema Registry for tests: franz-go's in-memory one, which speaks the Confluent REST contract.
// It prints its address, and ends when its standard input does, so it never outlives its test.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

func main() {
	registry := srfake.New()
	defer registry.Close()
	fmt.Println(registry.URL())
	io.Copy(io.Discard, os.Stdin)
}
