-- Drives the config language from a real Neovim and prints what it saw, one JSON value a line.
local config, server = vim.env.PEFTW_CONFIG, vim.env.PEFTW_SERVER
vim.cmd("edit " .. vim.fn.fnameescape(config))
-- `vim.lsp.start` and `vim.lsp.config` of newer versions end in these two calls; 0.7 has no other way.
local client = vim.lsp.start_client({ name = "peftw", cmd = { server, "lsp" }, root_dir = vim.fn.fnamemodify(config, ":h") })
vim.lsp.buf_attach_client(0, client)

local function seen(value) io.stdout:write(vim.fn.json_encode(value) .. "\n") end
local function wait(condition) assert(vim.wait(30000, condition, 20), "waited in vain") end
local function ask(method, params)
  local answers = assert(vim.lsp.buf_request_sync(0, method, params, 30000))
  return answers[client].result
end

wait(function() return #vim.diagnostic.get(0) > 0 end)
local found = vim.diagnostic.get(0)[1]
seen({ code = found.code, lnum = found.lnum, col = found.col, end_col = found.end_col })

vim.api.nvim_win_set_cursor(0, { found.lnum + 1, found.col })
local params = vim.lsp.util.make_range_params()
params.context = { diagnostics = { found.user_data.lsp } }
local action = ask("textDocument/codeAction", params)[1]
if not action.edit then action = ask("codeAction/resolve", action) end
vim.lsp.util.apply_workspace_edit(action.edit, "utf-16")
wait(function() return #vim.diagnostic.get(0) == 0 end)
seen({ fixed = vim.fn.getline(found.lnum + 1) })

local hover = ask("textDocument/hover", vim.lsp.util.make_position_params())
seen({ hover = hover.contents.value })

vim.o.virtualedit = "onemore" -- as while typing, the cursor can stand behind the last character
vim.fn.append(vim.fn.line("$"), "  ")
vim.api.nvim_win_set_cursor(0, { vim.fn.line("$"), 2 })
local offered = ask("textDocument/completion", vim.lsp.util.make_position_params())
seen({ offered = vim.tbl_map(function(item) return item.label end, offered.items or offered) })
vim.cmd("qa!")
