package graceful

// No process is started here.
const roleName = "GRACEFUL_TEST_ROLE"

func play() int { return 0 }
