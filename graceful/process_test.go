package graceful

const roleName = "GRACEFUL_TEST_ROLE"

func play() int { return 0 }
