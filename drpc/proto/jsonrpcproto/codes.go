package jsonrpcproto

// Error codes of the standard.
const (
	codeParse          = -32700
	codeInvalidRequest = -32600
	codeNoMethod       = -32601
	codeInvalidParams  = -32602
	codeInternal       = -32603
	codeServer         = -32000 // the first of those that servers may give a meaning
)

// codeTexts are the messages of the standard.
var codeTexts = map[int32]string{
	codeParse:          "Parse error",
	codeInvalidRequest: "Invalid Request",
	codeNoMethod:       "Method not found",
	codeInvalidParams:  "Invalid params",
	codeInternal:       "Internal error",
	codeServer:         "Server error",
}

// toStandard are the statuses of the framework that the standard has a code for. A foreign peer sees that code, and the
// status itself as data; all other statuses it sees as they are.
var toStandard = map[int32]int32{
	400: codeInvalidParams, // what is no request at all is refused here and never becomes a status
	404: codeNoMethod,
	500: codeInternal,
}

// fromStandard is what the codes of the standard mean to a caller.
var fromStandard = map[int32]int32{
	codeParse:          400,
	codeInvalidRequest: 400,
	codeInvalidParams:  400,
	codeNoMethod:       404,
	codeInternal:       500,
}
