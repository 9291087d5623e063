package config

import "ehpc/internal/hpc"

// instanceTypes is the built-in table: names that existing scripts use, with
// the sizes these names stand for. The prices are an example tariff per hour in
// no particular currency; whoever bills configures their own.
var instanceTypes = []hpc.InstanceType{
	{Name: "ecs.n1.tiny", Cores: 1, MemoryMB: 1024, Price: 0.10},
	{Name: "ecs.n1.small", Cores: 1, MemoryMB: 2048, Price: 0.16},
	{Name: "ecs.n1.medium", Cores: 2, MemoryMB: 4096, Price: 0.32},
	{Name: "ecs.n1.large", Cores: 4, MemoryMB: 8192, Price: 0.64},
	{Name: "ecs.n2.small", Cores: 1, MemoryMB: 4096, Price: 0.20},
	{Name: "ecs.n2.medium", Cores: 2, MemoryMB: 8192, Price: 0.40},
	{Name: "ecs.n4.small", Cores: 1, MemoryMB: 2048, Price: 0.16},
	{Name: "ecs.n4.large", Cores: 2, MemoryMB: 4096, Price: 0.32},
	{Name: "ecs.n4.xlarge", Cores: 4, MemoryMB: 8192, Price: 0.64},
	{Name: "ecs.sn1.medium", Cores: 2, MemoryMB: 4096, Price: 0.36},
	{Name: "ecs.sn1.large", Cores: 4, MemoryMB: 8192, Price: 0.72},
	{Name: "ecs.sn1ne.large", Cores: 2, MemoryMB: 4096, Price: 0.40},
	{Name: "ecs.sn1ne.xlarge", Cores: 4, MemoryMB: 8192, Price: 0.80},
	{Name: "ecs.sn1ne.2xlarge", Cores: 8, MemoryMB: 16384, Price: 1.60},
	{Name: "ecs.sn1ne.4xlarge", Cores: 16, MemoryMB: 32768, Price: 3.20},
	{Name: "ecs.sn2ne.large", Cores: 2, MemoryMB: 8192, Price: 0.50},
	{Name: "ecs.c5.large", Cores: 2, MemoryMB: 4096, Price: 0.40},
	{Name: "ecs.c5.xlarge", Cores: 4, MemoryMB: 8192, Price: 0.80},
	{Name: "ecs.c6.large", Cores: 2, MemoryMB: 4096, Price: 0.42},
	{Name: "ecs.c6.xlarge", Cores: 4, MemoryMB: 8192, Price: 0.84},
	{Name: "ecs.c7.large", Cores: 2, MemoryMB: 4096, Price: 0.44},
	{Name: "ecs.c7.xlarge", Cores: 4, MemoryMB: 8192, Price: 0.88},
	{Name: "ecs.g5.large", Cores: 2, MemoryMB: 8192, Price: 0.50},
	{Name: "ecs.g6.large", Cores: 2, MemoryMB: 8192, Price: 0.52},
	{Name: "ecs.r6.large", Cores: 2, MemoryMB: 16384, Price: 0.66},
	{Name: "ecs.hfc6.large", Cores: 2, MemoryMB: 4096, Price: 0.46},
	{Name: "ecs.scch5.16xlarge", Cores: 64, MemoryMB: 196608, Price: 12.8},
	{Name: "ecs.gn5-c4g1.xlarge", Cores: 4, MemoryMB: 30720, GPUs: 1, GPUSpec: "NVIDIA P100", Price: 8.0},
	{Name: "ecs.gn6v-c8g1.2xlarge", Cores: 8, MemoryMB: 32768, GPUs: 1, GPUSpec: "NVIDIA V100", Price: 12.0},
}
