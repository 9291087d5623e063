package ehpctest

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"ehpc/internal/action"
)

// behaviours are a test of what each action does, by the actions that it is a test of.
var behaviours = map[string][]string{
	"TestABudgetIsThereUntilItIsDeleted":                             {"SetBudget", "ListBudgets", "DeleteBudget"},
	"TestADeletedAccountIsGoneWithItsJobs":                           {"DeleteUsers", "ListUsers"},
	"TestAJobRunsToItsEnd":                                           {"SubmitJob", "ListJobs"},
	"TestACommandRunsOnEveryNode":                                    {"InvokeShellCommand", "ListInvocationResults", "ListInvocationStatus", "ListCommands"},
	"TestAFileIsWrittenOncePerToken":                                 {"CreateJobFile"},
	"TestAnAccountChangesItsGroup":                                   {"ModifyUserGroups"},
	"TestAnAddedAccountIsOnTheNodesWhenTheCallIsAnswered":            {"AddUsers"},
	"TestAnOldPasswordIsWrongAtOnce":                                 {"ModifyUserPasswords"},
	"TestATemplateHoldsWhatWasAsked":                                 {"CreateJobTemplate", "EditJobTemplate", "ListJobTemplates", "DeleteJobTemplates"},
	"TestAutoScaleSettings":                                          {"SetAutoScaleConfig", "GetAutoScaleConfig", "DescribeAutoScaleConfig"},
	"TestDeleteJobs":                                                 {"DeleteJobs"},
	"TestDescribeJob":                                                {"DescribeJob"},
	"TestANodeThatAnAdministratorDrainedIsLeftAloneUntilItIsResumed": {"ResumeNodes", "ListClusterLogs"},
	"TestANodeThatIsTakenBackGivesItsJobsBack":                       {"ReclaimNodes"},
	"TestGetJobLog":                                                  {"GetJobLog"},
	"TestHostNamesAreMatchedInAnyCase":                               {"ListNodes"},
	"TestListJobsWithFilters":                                        {"ListJobsWithFilters"},
	"TestPrices":                                                     {"DescribePrice", "DescribeImagePrice", "QueryServicePackAndPrice"},
	"TestQueues":                                                     {"AddQueue", "SetQueue", "DeleteQueue", "ListQueues", "ListNodesByQueue"},
	"TestReports":                                                    {"GetAccountingReport"},
	"TestRerunJobs":                                                  {"RerunJobs"},
	"TestSetJobUser":                                                 {"SetJobUser"},
	"TestStopJobs":                                                   {"StopJobs"},
	"TestTasksShowHowFarAnActionIs":                                  {"ListTasks", "AddNodes", "DeleteNodes", "CreateCluster"},
	"TestTheLifeOfACluster":                                          {"DeleteCluster"},
	"TestWhatAServiceOffers":                                         {"DescribeCluster", "ListAvailableEcsTypes", "ListClusters", "ListClustersMeta", "ListCurrentClientVersion", "ListImages", "ListNodesNoPaging", "ListPreferredEcsTypes", "ListRegions", "ListSoftwares", "ModifyClusterAttributes"},
	"TestWhatAutoScalingWouldDoIsShownAndNotDone":                    {"DescribeAutoScalePlan"},
	"TestWhatAClusterHoldsIsToldBeforeAndWhenItIsDeleted":            {"DescribeClusterVolume"},
}

// TestEachActionHasATestOfWhatItDoes holds every action of the table against a
// test: were the action an answer without anything behind it, the test would fail.
func TestEachActionHasATestOfWhatItDoes(t *testing.T) {
	if os.Getenv(hollowAction) != "" {
		t.Skip("it is itself being tried")
	}
	t.Parallel()
	of := map[string]string{}
	for test, actions := range behaviours {
		for _, name := range actions {
			of[name] = test
		}
	}
	handlers := (&action.Service{}).Table()
	for name := range of {
		if handlers[name] == nil {
			t.Errorf("%s is tested by %s and is no action of the table", name, of[name])
		}
	}
	places := make(chan struct{}, 8) // they wait more than they work
	for _, name := range slices.Sorted(maps.Keys(handlers)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if of[name] == "" {
				t.Fatal("no test of what it does is named")
			}
			places <- struct{}{}
			defer func() { <-places }()
			tryHollow(t, name, of[name])
		})
	}
}

// tryHollow runs a test, in a process of its own, on planes whose action does nothing.
func tryHollow(t *testing.T, name, test string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$", "-test.count=1", "-test.failfast")
	run.Env = append(os.Environ(), hollowAction+"="+name)
	out, err := run.CombinedOutput()
	var failed *exec.ExitError
	switch {
	case err == nil:
		t.Errorf("%s passes though %s does nothing, or there is no such test", test, name)
	case !errors.As(err, &failed) || ctx.Err() != nil:
		t.Errorf("cannot run %s: %v", test, err)
	case !strings.Contains(string(out), "--- FAIL: "+test):
		t.Errorf("%s ended without failing: %v\n%s", test, err, out)
	}
}
