module ehpc

go 1.26
