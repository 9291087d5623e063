package store

import (
	"reflect"
	"testing"

	"ehpc/internal/hpc"
)

// TestAQueuesOneTypeBecomesAList takes rows as they were written before a queue
// could have several instance types.
func TestAQueuesOneTypeBecomesAList(t *testing.T) {
	onEveryEngine(t, func(t *testing.T, place func() Place) {
		p := place()
		early := migratedBefore(t, p, "20261127000061")
		for _, row := range []string{
			`INSERT INTO clusters (id, rev, name, description, owner, status, reason, wanted, scheduler, deploy_mode, image_id, os_tag, asked, secrets, cursor, attempts, created, changed)
			 VALUES ('c', 1, 'n', '', 'o', 'running', '', TRUE, 'slurm', 'Standard', 'i', 't', '{}', 'c:e30=', '', 0, '2026-11-23 12:00:00+00:00', '2026-11-23 12:00:00+00:00')`,
			`INSERT INTO scale_configs (cluster_id, settings, rounds, said, changed) VALUES ('c', '{"Grow":true,"SpotPriceLimit":0.5}', '{}', '{}', '2026-11-23 12:00:00+00:00')`,
			`INSERT INTO queues (cluster_id, name, is_default, created) VALUES ('c', 'one', TRUE, '2026-11-23 12:00:00+00:00'), ('c', 'none', FALSE, '2026-11-23 12:00:00+00:00')`,
			`INSERT INTO scale_queues (cluster_id, queue, position, settings) VALUES
			 ('c', 'one', 1, '{"Grow":true,"Shrink":false,"InstanceType":"ecs.c5.large","MaxNodes":4,"MinNodes":0,"MaxPerCycle":0,"MinPerCycle":0,"AutoMin":false,"SpotPriceLimit":0}'),
			 ('c', 'none', 2, '{"Grow":false,"Shrink":true,"InstanceType":"","MaxNodes":0,"MinNodes":2,"MaxPerCycle":0,"MinPerCycle":0,"AutoMin":true,"SpotPriceLimit":0.1}')`,
		} {
			if _, err := early.write.ExecContext(t.Context(), row); err != nil {
				t.Fatal(err)
			}
		}
		if err := early.Close(); err != nil {
			t.Fatal(err)
		}
		c, queues, err := open(t, p).Read().Scale(t.Context(), "c")
		if err != nil || !c.Settings.Grow || len(c.Resting) != 0 || len(queues) != 2 {
			t.Fatalf("%+v, %v, %v", c, queues, err)
		}
		for i, want := range []hpc.QueueScale{
			{Grow: true, Types: []hpc.ScaleType{{Name: "ecs.c5.large"}}, MaxNodes: 4},
			{Shrink: true, MinNodes: 2, AutoMin: true, SpotPriceLimit: 0.1},
		} {
			if got := queues[i].Settings; !reflect.DeepEqual(got, want) {
				t.Errorf("queue %s: %+v, want %+v", queues[i].Queue, got, want)
			}
		}
	})
}
