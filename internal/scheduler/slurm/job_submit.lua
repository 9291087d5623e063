-- Jobs of the control plane carry a token as their wckey. Users must not be able
-- to take one, change one, or let such a job run before it was released.
local prefix = "ehpc"

-- The control plane's agent submits as the job's account, and proves who it is by
-- a key that only root and this user can read.
local function read_key()
  local file = io.open("/etc/slurm/submit.key", "r")
  if file == nil then
    return nil
  end
  local key = file:read("*l")
  file:close()
  if key == nil or not key:find("^%x+$") or #key < 64 then
    return nil
  end
  return key
end
local key = read_key()

local function ours(text)
  return text ~= nil and text:lower():sub(1, #prefix) == prefix
end

-- What is written to one line per job must not be able to look like another line
-- or another field.
local function plain(text, word)
  return text == nil or (not text:find("%c") and not text:find(word, 1, true))
end

-- Slurm cuts a record of an ended job off behind 1023 bytes.
local function long(text, bytes)
  return text ~= nil and #text > bytes
end

local function faulty(job)
  if long(job.name, 160) then
    return "the job's name is longer than 160 bytes"
  end
  if long(job.work_dir, 256) then
    return "the job's directory is longer than 256 bytes"
  end
  if long(job.account, 64) or long(job.wckey, 64) then
    return "the job's account or wckey is longer than 64 bytes"
  end
  if not plain(job.name, " JobState=") then
    return "the job's name holds what is not allowed in it"
  end
  if not plain(job.work_dir, " ReservationName=") then
    return "the job's directory holds what is not allowed in it"
  end
  if not plain(job.std_out, "\n") or not plain(job.std_err, "\n") then
    return "the job's output files hold what is not allowed in their names"
  end
  if job.account ~= nil and not job.account:find("^[%w._-]*$") then
    return "the job's account holds what is not allowed in it"
  end
  if job.wckey ~= nil and not job.wckey:find("^%*?[%w._-]*$") then
    return "the job's wckey holds what is not allowed in it"
  end
  return nil
end

local function refuse(reason)
  slurm.log_user("%s", reason)
  return slurm.ESLURM_ACCESS_DENIED
end

-- by_agent tells whether the agent submits the job. It takes the key off, so that
-- it never stands in the job's record, and sets what is not the account's to ask for.
local function by_agent(job)
  if key == nil or job.comment == nil then
    return false
  end
  local shown, nice = job.comment:match("^(%x+) (%-?%d+)$")
  if shown ~= key then
    return false
  end
  job.comment = ""
  job.nice = 0x80000000 + tonumber(nice)
  return true
end

-- closed tells whether new jobs of a user or for partitions are held: the file
-- has a line for each budget that is spent.
local function closed(partitions, uid)
  local file = io.open("/etc/slurm/closed", "r")
  if file == nil then
    return false
  end
  local found = false
  for line in file:lines() do
    local queue = line:match("^queue (%S+)$")
    found = found or line == "all" or line == "uid " .. uid
    if queue ~= nil then
      for name in (partitions or "workq"):gmatch("[^,]+") do
        found = found or name == queue
      end
    end
  end
  file:close()
  return found
end
local mark = "ehpc: closed"

function slurm_job_submit(job, partitions, uid)
  local fault = faulty(job)
  if fault ~= nil then
    return refuse(fault)
  end
  if uid ~= 0 and job.wckey ~= nil and job.wckey:find("*", 1, true) then
    return refuse("a wckey with * is root's alone")
  end
  if uid ~= 0 and ours(job.wckey) and not by_agent(job) then
    return refuse("this wckey is the control plane's")
  end
  if uid ~= 0 then
    job.admin_comment = ""
  end
  if not ours(job.wckey) and closed(job.partition, uid) then
    job.admin_comment = job.priority == 0 and mark .. " and held" or mark
    job.priority = 0
    slurm.log_user("%s", "a budget is spent: the job is held until there is more")
  end
  return slurm.SUCCESS
end

-- again tells whether a job is to be released that is not held. Slurm would take
-- away its nice value.
local function again(job, record)
  return job.priority == slurm.INFINITE and record.priority > 0 and record.direct_set_prio == 0
end

-- Slurm has no words for a refused change but its own.
function slurm_job_modify(job, record, partitions, uid)
  if again(job, record) then
    job.priority = slurm.NO_VAL
  end
  local fault = faulty(job)
  if fault ~= nil then
    return slurm.ESLURM_ACCESS_DENIED
  end
  if uid == 0 then
    return slurm.SUCCESS
  end
  if job.wckey ~= nil then
    return slurm.ESLURM_ACCESS_DENIED
  end
  local marked = record.admin_comment ~= nil and record.admin_comment:sub(1, #mark) == mark
  if marked and record.priority == 0 and closed(record.partition, uid) then
    return slurm.ESLURM_ACCESS_DENIED
  end
  -- A hold of its owner's sets the priority directly; ours, from the submission on, does
  -- not. What was put back into the queue, held or not, was released before.
  if ours(record.wckey) and record.priority == 0 and record.direct_set_prio == 0 and record.restart_cnt == 0 then
    return slurm.ESLURM_ACCESS_DENIED
  end
  return slurm.SUCCESS
end

return slurm.SUCCESS
