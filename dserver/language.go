package dserver

import "strings"

// catalogue is the language that ctl speaks: an index into phrases.
type catalogue int

const (
	english catalogue = iota
	chinese
)

// languageOf reads the language from the environment, in the order in which
// the C library does.
func languageOf(getenv func(string) string) catalogue {
	for _, key := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := getenv(key); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "zh") {
				return chinese
			}
			return english
		}
	}
	return english
}

// phrase is a text of ctl, by language.
type phrase [2]string

// in returns the text in the language of c.
func (m phrase) in(c catalogue) string { return m[c] }

// What ctl says. Log lines and the errors of the other commands are English.
var (
	msgStarted  = phrase{"service started", "启动服务成功"}
	msgStopped  = phrase{"service stopped", "停止服务成功"}
	msgReloaded = phrase{"reloaded", "平滑重启成功"}
	msgDebugOn  = phrase{"debug mode is on", "已开启debug模式"}
	msgDebugOff = phrase{"debug mode is off", "已关闭debug模式"}
	msgLogOn    = phrase{"printing the server's log ........ (Ctrl-C ends it)", "开始打印服务端日志........ (Ctrl-C 结束)"}
	msgLogAgain = phrase{"the application runs on in another process; its log goes on ........", "服务已在新进程中运行，继续打印日志........"}
	msgLogOff   = phrase{"end of the log", "停止打印服务端日志"}

	msgNoService  = phrase{"cannot connect to the service [%s]: %v", "链接到DServer服务[%s]失败: %v"}
	msgNotRunning = phrase{
		"server %[1]s is not running: nobody serves %[2]s; start it, or set %[3]s as it has it",
		"链接到DServer服务[%[2]s]失败: %[1]s 未运行，请先启动，或将 %[3]s 设为与其相同的值",
	}
	msgNoAnswer     = phrase{"the service [%s] does not answer", "DServer服务[%s]没有响应"}
	msgLost         = phrase{"the connection to the service is lost", "DServer服务已断开链接"}
	msgAgain        = phrase{"connected again: the application runs on in another process", "已重新连接: 服务已在新进程中运行"}
	msgShown        = phrase{"%d of %d", "%d / %d"}
	msgInterval     = phrase{"the interval is at least %v", "间隔不得小于 %v"}
	msgNoName       = phrase{"no sandbox was named", "未传入sandbox name"}
	msgNotFound     = phrase{"not found: [%s]", "未找到[%s]"}
	msgStartFailed  = phrase{"start failed", "开启失败"}
	msgStopFailed   = phrase{"stop failed", "关闭失败"}
	msgReloadFailed = phrase{"reload failed", "平滑重启失败"}
	msgBadLevel     = phrase{"unknown level %q; there are: %s", "未知的日志级别 %q，可用: %s"}
	msgUnknown      = phrase{"unknown command %q", "未知命令 %q"}
	msgShellOnly    = phrase{"%s is for the interactive shell", "%s 只能在交互模式下使用"}
	msgInterrupt    = phrase{"press Ctrl-C once more to leave", "再按一次 Ctrl-C 退出"}
	msgBye          = phrase{"exit success!!!", "exit success!!!"}

	helpCtl = phrase{
		"inspect and steer the running server: a shell, or one COMMAND",
		"查看与控制运行中的服务：交互模式，或单条命令",
	}
	helpCommands = phrase{"Commands:", "命令:"}
	helpJSON     = phrase{"print JSON", "以JSON格式输出"}
	helpLimit    = phrase{"how many to list, the busiest first; at most %d", "列出的数量，最忙的在前；最多 %d"}
	helpFrames   = phrase{"how many frames to show; 0 is until Ctrl-C, or one where there is no terminal", "显示次数；0 表示直到 Ctrl-C，非终端时为一次"}
	helpInterval = phrase{"time between two frames", "刷新间隔"}
	helpLevel    = phrase{"lowest level to print: ", "最低日志级别: "}
)
