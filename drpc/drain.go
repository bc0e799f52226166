package drpc

type drain struct{}

func (d *drain) hasten() {}
