package proclog

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// units are powers of 1024, as log sizes have always been meant.
var units = map[string]int64{
	"": 1, "B": 1,
	"K": 1 << 10, "KB": 1 << 10,
	"M": 1 << 20, "MB": 1 << 20,
	"G": 1 << 30, "GB": 1 << 30,
}

// ParseSize reads a size such as "50MB", "64k" or "4096": a whole number, and a unit of B, KB, MB or GB in either case, the
// B optional, each 1024 times the one before. The largest size is that of an int.
func ParseSize(text string) (int, error) {
	trimmed := strings.TrimSpace(text)
	digits := strings.TrimRight(trimmed, "bBkKmMgG \t")
	unit, ok := units[strings.ToUpper(strings.TrimSpace(trimmed[len(digits):]))]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !ok || int64(n) > math.MaxInt/unit {
		return 0, fmt.Errorf("proclog: %q is no size, such as 50MB", text)
	}
	return int(int64(n) * unit), nil
}
