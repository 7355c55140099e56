// BullMQ as its documentation shows it: "add" puts delayed jobs into a queue, "work" runs a worker that notes when each
// job ran and, where an address is given, posts to it. Says "ready" once it works, and at the end one line of JSON.
const { createRequire } = require("node:module");

const [role, folder, socket, name, count, ...rest] = process.argv.slice(2);
const { Queue, Worker } = createRequire(`${folder}/`)("bullmq");
const connection = { path: socket, maxRetriesPerRequest: null };
const total = Number(count);

async function add(first, gap) {
  const queue = new Queue(name, { connection });
  for (let n = 0; n < total; n += 500) {
    const jobs = [];
    for (let i = n; i < Math.min(n + 500, total); i++) {
      const due = Number(first) + i * Number(gap);
      const options = { delay: Math.max(0, due - Date.now()), removeOnComplete: true };
      jobs.push({ name: "post", data: { id: `main.${i}`, due }, opts: options });
    }
    await queue.addBulk(jobs);
  }
  await queue.close();
}

async function work(concurrency, url) {
  const late = [];
  let done = 0;
  const post = async (job) => {
    late.push(Date.now() - job.data.due);
    if (url) {
      const body = JSON.stringify({ text: job.data.id });
      const headers = { "Content-Type": "application/json", "Idempotency-Key": job.data.id };
      const answer = await fetch(url, { method: "POST", headers, body });
      if (!(await answer.json()).id) throw new Error("no id");
    }
  };
  const worker = new Worker(name, post, { connection, concurrency: Number(concurrency) });
  worker.on("completed", async () => {
    if (++done < total) return;
    console.log(JSON.stringify({ done: Date.now(), late }));
    await worker.close();
    process.exit(0);
  });
  await worker.waitUntilReady();
  console.log("ready");
}

(role === "add" ? add : work)(...rest);
