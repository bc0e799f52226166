package instance

import "os"

// Pin does nothing here: nobody cleans the directory of a user by age. The
// file it returns is nil, which may be closed.
func Pin(string) (*os.File, error) { return nil, nil }
