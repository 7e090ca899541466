-- How healthy an object of Provost is, for Argo CD. It is the verdict of kstatus, and Suspended where a person chose that
-- nothing is written. One text for the four kinds; it needs no library beyond the base.
local hs = { status = "Progressing", message = "the operator has not looked at it since it was last edited" }

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "it is being deleted"
  return hs
end
local status = obj.status or {}
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end

local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end
local function is_true(condition)
  return condition ~= nil and condition.status == "True"
end

if is_true(found.Reconciling) then
  hs.message = found.Reconciling.message
  if found.Reconciling.reason == "Paused" or found.Reconciling.reason == "PlanOnly" then
    hs.status = "Suspended"
  end
elseif is_true(found.Stalled) then
  hs.status = "Degraded"
  hs.message = found.Stalled.message
elseif found.Ready ~= nil then
  -- Ready is False for a moment in all that goes on: that alone is no failure.
  if is_true(found.Ready) then
    hs.status = "Healthy"
  end
  hs.message = found.Ready.message
end
return hs
