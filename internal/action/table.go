package action

// Table is every action that is built, by its name in the catalogue.
func (s *Service) Table() map[string]Handler {
	return map[string]Handler{
		"AddNodes":                 typed(s.AddNodes),
		"AddUsers":                 typed(s.AddUsers),
		"CreateCluster":            typed(s.CreateCluster),
		"CreateJobFile":            typed(s.CreateJobFile),
		"DeleteCluster":            typed(s.DeleteCluster),
		"DeleteJobs":               typed(s.DeleteJobs),
		"DeleteNodes":              typed(s.DeleteNodes),
		"DescribeCluster":          typed(s.DescribeCluster),
		"InvokeShellCommand":       typed(s.InvokeShellCommand),
		"ListAvailableEcsTypes":    typed(s.ListAvailableEcsTypes),
		"ListClusterLogs":          typed(s.ListClusterLogs),
		"ListClusters":             typed(s.ListClusters),
		"ListClustersMeta":         typed(s.ListClustersMeta),
		"ListCommands":             typed(s.ListCommands),
		"ListCurrentClientVersion": typed(s.ListCurrentClientVersion),
		"ListImages":               typed(s.ListImages),
		"ListInvocationResults":    typed(s.ListInvocationResults),
		"ListInvocationStatus":     typed(s.ListInvocationStatus),
		"ListJobs":                 typed(s.ListJobs),
		"ListNodes":                typed(s.ListNodes),
		"ListNodesByQueue":         typed(s.ListNodesByQueue),
		"ListNodesNoPaging":        typed(s.ListNodesNoPaging),
		"ListPreferredEcsTypes":    typed(s.ListPreferredEcsTypes),
		"ListQueues":               typed(s.ListQueues),
		"ListRegions":              typed(s.ListRegions),
		"ListSoftwares":            typed(s.ListSoftwares),
		"ListTasks":                typed(s.ListTasks),
		"ListUsers":                typed(s.ListUsers),
		"ModifyClusterAttributes":  typed(s.ModifyClusterAttributes),
		"StopJobs":                 typed(s.StopJobs),
		"SubmitJob":                typed(s.SubmitJob),
	}
}
