package lifeline_test

import (
	"context"
	"fmt"

	"github.com/osgochina/dmicro/supervisor/lifeline"
)

// A program that ends when its supervisor does.
func ExampleJoin() {
	gone, err := lifeline.Join(context.Background())
	if err != nil { // wraps ErrNotSupervised, or errors.ErrUnsupported on some systems
		fmt.Println("started by hand")
		return
	}
	<-gone
	fmt.Println("the supervisor is gone")
	// Output: started by hand
}
