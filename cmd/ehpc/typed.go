package main

import (
	"errors"
	"regexp"

	"ehpc/client"
)

// typed are the parameters of actions as their commands take them: a message of
// the service speaks of parameters, and people have typed flags and arguments.
var typed = map[string]map[string]string{
	"AddNodes": {"Count": "--count", "InstanceType": "--type", "JobQueue": "--queue",
		"ComputeSpotStrategy": "--spot", "ComputeSpotPriceLimit": "--price-limit"},
	"AddQueue": {"QueueName": "QUEUE"},
	"AddUsers": {"User.1.Name": "NAME", "User.1.Password": "the password", "User.1.Group": "--admin"},
	"CreateCluster": {"Name": "NAME", "Description": "--description", "SchedulerType": "--scheduler", "OsTag": "--os",
		"DeployMode": "--deploy-mode", "EcsOrder.Manager.InstanceType": "--manager-type",
		"EcsOrder.Login.InstanceType": "--login-type", "EcsOrder.Login.Count": "--login",
		"EcsOrder.Compute.InstanceType": "--compute-type", "EcsOrder.Compute.Count": "--compute"},
	"CreateJobFile":       {"TargetFile": "REMOTE", "Content": "the file", "RunasUser": "--as"},
	"CreateJobTemplate":   templateTyped,
	"DeleteNodes":         {"DrainTimeout": "--drain-timeout", "Force": "--force"},
	"DeleteQueue":         {"QueueName": "QUEUE"},
	"EditJobTemplate":     templateTyped,
	"GetAccountingReport": {"Dim": "--by", "StartTime": "--from", "EndTime": "--to"},
	"InvokeShellCommand":  {"Command": "COMMAND", "WorkingDir": "--dir", "Timeout": "--timeout"},
	"ListJobs":            {"State": "--state", "Owner": "--owner"},
	"ListNodes":           {"Role": "--role"},
	"ReclaimNodes":        {"Notice": "--notice"},
	"SetBudget":           {"Limit": "LIMIT", "LimitAction": "--at-limit", "QueueName": "--queue", "UserName": "--account"},
	"SubmitJob":           jobTyped,
}

var jobTyped = map[string]string{"CommandLine": "COMMAND", "RunasUser": "--as", "RunasUserPassword": "the password",
	"Name": "--name", "JobQueue": "--queue", "Node": "--nodes", "Task": "--tasks", "Thread": "--threads", "Gpu": "--gpus",
	"Mem": "--memory", "ClockTime": "--time", "ArrayRequest": "--array", "PackagePath": "--dir",
	"StdoutRedirectPath": "--stdout", "StderrRedirectPath": "--stderr", "InputFileUrl": "--input-url",
	"UnzipCmd": "--unzip", "PostCmdLine": "--post", "Variables": "--env", "ReRunable": "--rerunable"}

var templateTyped = map[string]string{"Name": "NAME", "CommandLine": "COMMAND", "RunasUser": "--as",
	"Queue": "--queue", "Node": "--nodes", "Task": "--tasks", "Thread": "--threads", "Gpu": "--gpus", "Mem": "--memory",
	"ClockTime": "--time", "ArrayRequest": "--array", "PackagePath": "--dir", "StdoutRedirectPath": "--stdout",
	"StderrRedirectPath": "--stderr", "InputFileUrl": "--input-url", "UnzipCmd": "--unzip", "Variables": "--env",
	"ReRunable": "--rerunable"}

// word is what may be the name of a parameter.
var word = regexp.MustCompile(`[A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)*`)

// asTyped is a refusal in the words of the command that sent the request.
func asTyped(action string, err error) error {
	var refused *client.Error
	if !errors.As(err, &refused) || typed[action] == nil {
		return err
	}
	said := *refused
	said.Message = word.ReplaceAllStringFunc(said.Message, func(name string) string { return first(typed[action][name], name) })
	if said.Message == refused.Message {
		return err
	}
	return errors.Join(&said, err) // the first is shown; what else is in it stays
}
