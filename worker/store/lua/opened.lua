-- An account for one attempt: id. Answers the account, its secrets, and whether posts of its workspace wait for approval.
return {redis.call('HGET', root .. 'accounts', ARGV[1]), redis.call('HGET', root .. 'secrets', ARGV[1]),
  redis.call('EXISTS', root .. 'approval')}
