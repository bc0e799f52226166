// Package ini reads programs from a file as supervisord has it, for package supervisor/process:
//
//	[program:worker]
//	command = /srv/app/worker --queue "%(ENV_QUEUE)s" --number %(process_num)d
//	process_name = %(program_name)s_%(process_num)02d
//	numprocs = 4
//	stdout_logfile = /var/log/app/%(program_name)s_%(process_num)02d.log
//
// Nothing is passed over in silence: a key or section that is not known is an error that names it and its line, as is a
// value that cannot be read. Sections about supervisord itself ([supervisord], [supervisorctl], [unix_http_server],
// [inet_http_server], [rpcinterface:x]) mean nothing here and are skipped; [group:x], [include] and [eventlistener:x] are
// refused, because programs would be missing without them.
//
// The functions keep no state and may be used concurrently.
package ini
