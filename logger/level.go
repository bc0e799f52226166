package logger

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/gogf/gf/v2/os/glog"
)

// The levels, as bits of a mask. The values are glog's, so masks made with either name agree.
const (
	LevelNone     = glog.LEVEL_NONE // what Print writes at: no severity, always enabled
	LevelDebug    = glog.LEVEL_DEBU
	LevelInfo     = glog.LEVEL_INFO
	LevelNotice   = glog.LEVEL_NOTI
	LevelWarning  = glog.LEVEL_WARN
	LevelError    = glog.LEVEL_ERRO
	LevelCritical = glog.LEVEL_CRIT
	LevelPanic    = glog.LEVEL_PANI
	LevelFatal    = glog.LEVEL_FATA

	LevelAll  = glog.LEVEL_ALL  // debug and everything above it
	LevelDev  = glog.LEVEL_DEV  // the same as LevelAll
	LevelProd = glog.LEVEL_PROD // warning and above
)

// alwaysOn are the levels that no mask removes: a process that is about to end says why.
const alwaysOn = LevelCritical | LevelPanic | LevelFatal

// defaultLevel is everything but debug.
const defaultLevel = LevelAll&^LevelDebug | alwaysOn

// levelNames maps the names a configuration file may use to the mask they stand for. A severity stands for itself
// and everything above it.
var levelNames = map[string]int{
	"ALL": LevelAll, "DEV": LevelDev, "DEVELOP": LevelDev,
	"PROD": LevelProd, "PRODUCT": LevelProd,
	"DEBU": from(LevelDebug), "DEBUG": from(LevelDebug),
	"INFO": from(LevelInfo),
	"NOTI": from(LevelNotice), "NOTICE": from(LevelNotice),
	"WARN": from(LevelWarning), "WARNING": from(LevelWarning),
	"ERRO": from(LevelError), "ERROR": from(LevelError),
	"CRIT": from(LevelCritical), "CRITICAL": from(LevelCritical),
}

// from is the mask of every ordinary level from the given bit upwards.
func from(level int) int { return LevelAll &^ (level - 1) }

// levelMask is the level of the process. It is apart from glog's own level because that one is a plain int which
// cannot be changed while other goroutines log.
type levelMask struct{ bits atomic.Int32 }

func (m *levelMask) set(level int) { m.bits.Store(int32(level | alwaysOn)) }
func (m *levelMask) get() int      { return int(m.bits.Load()) }

func (m *levelMask) enabled(level int) bool {
	return level == LevelNone || int(m.bits.Load())&level != 0
}

func (m *levelMask) setDebug(on bool) {
	if on {
		m.bits.Or(LevelDebug)
		return
	}
	m.bits.And(^int32(LevelDebug))
}

// SetLevel sets the mask of levels that are written, for example LevelWarning|LevelError. Critical, panic and
// fatal stay on whatever the mask says. It takes effect at once, also for lines of other goroutines.
func SetLevel(level int) { std.level.set(level) }

// GetLevel returns the mask of levels that are written.
func GetLevel() int { return std.level.get() }

// SetLevelStr sets the level by name, ignoring case: ALL, DEV, DEVELOP, PROD, PRODUCT, DEBU, DEBUG, INFO, NOTI,
// NOTICE, WARN, WARNING, ERRO, ERROR, CRIT, CRITICAL. A severity means itself and everything above; DEV and
// DEVELOP mean ALL, PROD and PRODUCT mean WARN. Any other name is an error and changes nothing.
func SetLevelStr(levelStr string) error {
	level, err := parseLevel(levelStr)
	if err != nil {
		return fmt.Errorf("logger: %w", err)
	}
	SetLevel(level)
	return nil
}

func parseLevel(name string) (int, error) {
	level, ok := levelNames[strings.ToUpper(strings.TrimSpace(name))]
	if !ok {
		return 0, fmt.Errorf("unknown level %q (want ALL, DEBUG, INFO, NOTICE, WARN, ERROR, CRIT, DEV or PROD)", name)
	}
	return level, nil
}

// SetDebug adds the debug level to the mask or takes it away, and leaves the other levels as they are. Debug is
// off by default.
func SetDebug(debug bool) { std.level.setDebug(debug) }

// IsDebug reports whether debug lines are written.
func IsDebug() bool { return Enabled(LevelDebug) }

// Enabled reports whether a line of that level would be written now. It costs one atomic load and allocates nothing:
// hot paths ask before they build the arguments of a line.
func Enabled(level int) bool { return std.level.enabled(level) }
