module towpath.dev/bench/measure

go 1.26.0
