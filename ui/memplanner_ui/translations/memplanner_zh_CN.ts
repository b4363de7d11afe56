<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>Actions</name>
    <message>
        <source>A Hugging Face model folder</source>
        <translation>Hugging Face 模型文件夹</translation>
    </message>
    <message>
        <source>A Hugging Face name, or an importable package.module:callable</source>
        <translation>Hugging Face 名称，或可导入的 package.module:callable</translation>
    </message>
    <message>
        <source>A search leaves the option with the cursor as it is</source>
        <translation>搜索时保持光标所在的选项不变</translation>
    </message>
    <message>
        <source>About memplanner</source>
        <translation>关于 memplanner</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>试运行</translation>
    </message>
    <message>
        <source>Back to the plan the model came with</source>
        <translation>回到模型自带的方案</translation>
    </message>
    <message>
        <source>Changes of the plan</source>
        <translation>方案的更改</translation>
    </message>
    <message>
        <source>Choose another model</source>
        <translation>选择另一个模型</translation>
    </message>
    <message>
        <source>Choose device…</source>
        <translation>选择设备…</translation>
    </message>
    <message>
        <source>Choose where the engine runs…</source>
        <translation>选择引擎运行的位置…</translation>
    </message>
    <message>
        <source>Close model</source>
        <translation>关闭模型</translation>
    </message>
    <message>
        <source>Colours of the system</source>
        <translation>跟随系统配色</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>对比</translation>
    </message>
    <message>
        <source>Contents and search</source>
        <translation>目录与搜索</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>详情</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>编辑</translation>
    </message>
    <message>
        <source>Engine log</source>
        <translation>引擎日志</translation>
    </message>
    <message>
        <source>English</source>
        <translation>English</translation>
    </message>
    <message>
        <source>Every change since the plan was opened; choose one to go back to it</source>
        <translation>打开方案以来的每次更改；选择一项即可回到当时</translation>
    </message>
    <message>
        <source>Export…</source>
        <translation>导出…</translation>
    </message>
    <message>
        <source>File</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Filter in this view</source>
        <translation>在此视图中筛选</translation>
    </message>
    <message>
        <source>Filter options</source>
        <translation>筛选选项</translation>
    </message>
    <message>
        <source>Find a command, module or option…</source>
        <translation>查找命令、模块或选项…</translation>
    </message>
    <message>
        <source>Fit…</source>
        <translation>放入显存…</translation>
    </message>
    <message>
        <source>Fold all sections</source>
        <translation>折叠所有部分</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>帮助</translation>
    </message>
    <message>
        <source>Help on this</source>
        <translation>关于此处的帮助</translation>
    </message>
    <message>
        <source>History</source>
        <translation>历史</translation>
    </message>
    <message>
        <source>How many steps, and on which text</source>
        <translation>运行多少步，用哪份文本</translation>
    </message>
    <message>
        <source>How was this number made?</source>
        <translation>这个数字是怎么得来的？</translation>
    </message>
    <message>
        <source>Icicle</source>
        <translation>冰柱图</translation>
    </message>
    <message>
        <source>Keep the plan as it is now, to compare it with others</source>
        <translation>保留当前方案，以便与其他方案对比</translation>
    </message>
    <message>
        <source>Keep this plan</source>
        <translation>保留此方案</translation>
    </message>
    <message>
        <source>Keys…</source>
        <translation>快捷键…</translation>
    </message>
    <message>
        <source>Language of the system</source>
        <translation>跟随系统语言</translation>
    </message>
    <message>
        <source>Last pane</source>
        <translation>上一个窗格</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Live</source>
        <translation>实时</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Next pane</source>
        <translation>下一个窗格</translation>
    </message>
    <message>
        <source>One file about the plan: HTML, PDF, or the layer table as CSV</source>
        <translation>一个关于方案的文件：HTML、PDF，或 CSV 格式的层表格</translation>
    </message>
    <message>
        <source>Open a model or a plan</source>
        <translation>打开模型或方案</translation>
    </message>
    <message>
        <source>Open again</source>
        <translation>重新打开</translation>
    </message>
    <message>
        <source>Open by name…</source>
        <translation>按名称打开…</translation>
    </message>
    <message>
        <source>Open folder…</source>
        <translation>打开文件夹…</translation>
    </message>
    <message>
        <source>Open memory snapshot…</source>
        <translation>打开显存快照…</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>打开…</translation>
    </message>
    <message>
        <source>Past runs: predicted against measured</source>
        <translation>历次运行：预测与实测对照</translation>
    </message>
    <message>
        <source>Pin or unpin this option</source>
        <translation>固定或取消固定此选项</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Presets</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Read the source again and record the step anew</source>
        <translation>重新读取来源，并重新记录一步</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>重做</translation>
    </message>
    <message>
        <source>Redo {change}</source>
        <translation>重做：{change}</translation>
    </message>
    <message>
        <source>Report…</source>
        <translation>报告…</translation>
    </message>
    <message>
        <source>Reset the whole plan</source>
        <translation>重置整个方案</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Run the plan for a few real steps on this machine</source>
        <translation>在本机把方案真实运行几步</translation>
    </message>
    <message>
        <source>Save plan</source>
        <translation>保存方案</translation>
    </message>
    <message>
        <source>Save plan as…</source>
        <translation>方案另存为…</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Sensitivity</source>
        <translation>敏感度</translation>
    </message>
    <message>
        <source>Sharding</source>
        <translation>分片</translation>
    </message>
    <message>
        <source>Show or hide the plan</source>
        <translation>显示或隐藏方案</translation>
    </message>
    <message>
        <source>Show or hide the right side</source>
        <translation>显示或隐藏右侧</translation>
    </message>
    <message>
        <source>Start the engine again</source>
        <translation>重新启动引擎</translation>
    </message>
    <message>
        <source>Steps and data…</source>
        <translation>步数与数据…</translation>
    </message>
    <message>
        <source>Stop after this step</source>
        <translation>完成此步后停止</translation>
    </message>
    <message>
        <source>Stop now</source>
        <translation>立即停止</translation>
    </message>
    <message>
        <source>The figure with the cursor, or the verdict: formula or recording, sources, margin</source>
        <translation>光标所在的数字，或结论：公式或记录、来源、误差范围</translation>
    </message>
    <message>
        <source>The icicle as a table where it is shown, else the timeline; or as drawn again</source>
        <translation>正显示冰柱图时把它显示为表格，否则为时间线；或恢复图形</translation>
    </message>
    <message>
        <source>The keys of every command, to see and to change</source>
        <translation>查看和更改每个命令的快捷键</translation>
    </message>
    <message>
        <source>The page about what has the focus</source>
        <translation>关于当前焦点所在处的页面</translation>
    </message>
    <message>
        <source>The smallest change with which the plan fits, or what it leaves unused</source>
        <translation>让方案放得下的最小改动，或它还剩下什么未用</translation>
    </message>
    <message>
        <source>Three notes on what is where</source>
        <translation>三条说明：什么在哪里</translation>
    </message>
    <message>
        <source>Timeline</source>
        <translation>时间线</translation>
    </message>
    <message>
        <source>Timeline or icicle as a table</source>
        <translation>以表格显示时间线或冰柱图</translation>
    </message>
    <message>
        <source>Tour of the window</source>
        <translation>窗口导览</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Undo {change}</source>
        <translation>撤销：{change}</translation>
    </message>
    <message>
        <source>Unfold all sections</source>
        <translation>展开所有部分</translation>
    </message>
    <message>
        <source>View</source>
        <translation>视图</translation>
    </message>
    <message>
        <source>What torch.cuda.memory._dump_snapshot has written, in the Timeline</source>
        <translation>在时间线中显示 torch.cuda.memory._dump_snapshot 写出的内容</translation>
    </message>
    <message>
        <source>Window</source>
        <translation>窗口</translation>
    </message>
    <message>
        <source>Write the plan for a trainer</source>
        <translation>为训练框架写出方案</translation>
    </message>
    <message>
        <source>Your training environment’s Python, or another machine over ssh</source>
        <translation>你的训练环境的 Python，或通过 ssh 使用另一台机器</translation>
    </message>
</context>
<context>
    <name>Crash report</name>
    <message>
        <source>A crash report could not be written: {reason}.</source>
        <translation>无法写入崩溃报告：{reason}。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Crash report</source>
        <translation>崩溃报告</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Read it, copy it, save it elsewhere or delete it</source>
        <translation>阅读、复制、另存或删除它</translation>
    </message>
    <message>
        <source>Read the report</source>
        <translation>阅读报告</translation>
    </message>
    <message>
        <source>Save as…</source>
        <translation>另存为…</translation>
    </message>
    <message>
        <source>Save the report</source>
        <translation>保存报告</translation>
    </message>
    <message>
        <source>Text (*.txt)</source>
        <translation>文本 (*.txt)</translation>
    </message>
    <message>
        <source>The last window was ended by a fault.</source>
        <translation>上一个窗口因故障而中止。</translation>
    </message>
    <message>
        <source>The report is on the clipboard.</source>
        <translation>报告已复制到剪贴板。</translation>
    </message>
    <message>
        <source>The window failed unexpectedly ({error}).</source>
        <translation>窗口意外出错（{error}）。</translation>
    </message>
    <message>
        <source>This is a defect of memplanner. A report of it lies on this machine alone.</source>
        <translation>这是 memplanner 的缺陷。报告只保存在本机上。</translation>
    </message>
    <message>
        <source>This lies on this machine alone. Secrets and your folder are masked; read it before you give it to anyone.</source>
        <translation>它只保存在本机上。机密信息和你的文件夹已被遮盖；交给别人之前请先阅读。</translation>
    </message>
    <message>
        <source>Written: {path}</source>
        <translation>已写入：{path}</translation>
    </message>
    <message>
        <source>{path} could not be deleted: {reason}.</source>
        <translation>无法删除 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} could not be written: {reason}.</source>
        <translation>无法写入 {path}：{reason}。</translation>
    </message>
</context>
<context>
    <name>Engine</name>
    <message>
        <source>A host is missing; name one as ssh knows it.</source>
        <translation>缺少主机；请填写 ssh 所知的名称。</translation>
    </message>
    <message>
        <source>The connection to {machine} was lost.</source>
        <translation>与 {machine} 的连接已断开。</translation>
    </message>
    <message>
        <source>The engine ended with code {exit_code} before it answered; see its log.</source>
        <translation>引擎在应答之前以代码 {exit_code} 结束；请查看它的日志。</translation>
    </message>
    <message>
        <source>The engine ended with code {exit_code}.</source>
        <translation>引擎以代码 {exit_code} 结束。</translation>
    </message>
    <message>
        <source>The engine is not running.</source>
        <translation>引擎没有运行。</translation>
    </message>
    <message>
        <source>The engine was ended by {signal_name}.</source>
        <translation>引擎被 {signal_name} 结束。</translation>
    </message>
    <message>
        <source>The engine was stopped.</source>
        <translation>引擎已停止。</translation>
    </message>
    <message>
        <source>The host key of {host} has changed, so another machine may answer in its place; find out why, then remove the old key with “ssh-keygen -R {host}” and confirm the new one with “{by_hand}”.</source>
        <translation>{host} 的主机密钥已改变，可能是另一台机器在代它应答；请查明原因，然后用“ssh-keygen -R {host}”删除旧密钥，再用“{by_hand}”确认新密钥。</translation>
    </message>
    <message>
        <source>The host key of {host} is not known here; run “{by_hand}” once in a terminal to confirm it, then connect again.</source>
        <translation>这里不认识 {host} 的主机密钥；请在终端中运行一次“{by_hand}”确认它，然后重新连接。</translation>
    </message>
    <message>
        <source>There is no ssh in this machine; install OpenSSH’s client.</source>
        <translation>本机没有 ssh；请安装 OpenSSH 客户端。</translation>
    </message>
    <message>
        <source>in this machine</source>
        <translation>在本机</translation>
    </message>
    <message>
        <source>it said nothing</source>
        <translation>它没有给出说明</translation>
    </message>
    <message>
        <source>of another version</source>
        <translation>（另一版本）</translation>
    </message>
    <message>
        <source>on {machine}</source>
        <translation>在 {machine} 上</translation>
    </message>
    <message>
        <source>signal {number}</source>
        <translation>信号 {number}</translation>
    </message>
    <message>
        <source>signal {number} ({name})</source>
        <translation>信号 {number}（{name}）</translation>
    </message>
    <message>
        <source>ssh could not connect to {host} ({said}); try “{by_hand}” in a terminal.</source>
        <translation>ssh 无法连接到 {host}（{said}）；请在终端中试试“{by_hand}”。</translation>
    </message>
    <message>
        <source>ssh does not take its options or its configuration ({line}); mend them.</source>
        <translation>ssh 不接受它的选项或配置（{line}）；请修正。</translation>
    </message>
    <message>
        <source>ssh finds no host {host} ({line}); check its name and the network.</source>
        <translation>ssh 找不到主机 {host}（{line}）；请检查名称和网络。</translation>
    </message>
    <message>
        <source>this machine’s</source>
        <translation>本机的</translation>
    </message>
    <message>
        <source>{host} cannot be reached ({line}); check that it is on, then connect again.</source>
        <translation>无法访问 {host}（{line}）；请确认它已开机，然后重新连接。</translation>
    </message>
    <message>
        <source>{host} lets nobody in without a password or another key ({line}); make “{by_hand}” work without a question, as ssh-copy-id does, then connect again.</source>
        <translation>{host} 没有密码或其他密钥不让登录（{line}）；请让“{by_hand}”无需提问即可连接（如用 ssh-copy-id），然后重新连接。</translation>
    </message>
    <message>
        <source>{machine} has no Python at “{python}”; name one by its path there, such as ~/venv/bin/python.</source>
        <translation>{machine} 上的“{python}”处没有 Python；请填写它在那里的路径，例如 ~/venv/bin/python。</translation>
    </message>
    <message>
        <source>{machine}’s</source>
        <translation>{machine} 的</translation>
    </message>
    <message>
        <source>{python} on {machine}</source>
        <translation>{machine} 上的 {python}</translation>
    </message>
    <message>
        <source>{where} could not be started; choose another Python for the engine.</source>
        <translation>无法启动 {where}；请为引擎选择另一个 Python。</translation>
    </message>
    <message>
        <source>{where} has memplanner {stranger}, which speaks another protocol; install the window’s version there, or choose another Python.</source>
        <translation>{where} 装有 memplanner {stranger}，其协议不同；请在那里安装与窗口相同的版本，或选择另一个 Python。</translation>
    </message>
    <message>
        <source>{where} has no {package}; install it there with “{install}”, or choose another.</source>
        <translation>{where} 没有 {package}；请用“{install}”在那里安装，或另选一个。</translation>
    </message>
    <message>
        <source>{where} is older than Python 3.11, which the engine needs; choose another.</source>
        <translation>{where} 早于引擎所需的 Python 3.11；请另选一个。</translation>
    </message>
    <message>
        <source>“{host}” begins with a dash, which ssh would read as an option; name a host.</source>
        <translation>“{host}”以短横线开头，ssh 会把它当作选项；请填写主机名。</translation>
    </message>
    <message>
        <source>“{host}” has a space in it; give a port or a key under the options for ssh.</source>
        <translation>“{host}”中有空格；端口或密钥请填在 ssh 选项中。</translation>
    </message>
</context>
<context>
    <name>Environment</name>
    <message>
        <source>, for the CPU</source>
        <translation>，CPU 版</translation>
    </message>
    <message>
        <source>Active environment</source>
        <translation>当前激活的环境</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
    <message>
        <source>Another Python…</source>
        <translation>另一个 Python…</translation>
    </message>
    <message>
        <source>Another machine</source>
        <translation>另一台机器</translation>
    </message>
    <message>
        <source>Another machine…</source>
        <translation>另一台机器…</translation>
    </message>
    <message>
        <source>Asking what is there…</source>
        <translation>正在查询那里有什么…</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Cards that torch sees</source>
        <translation>torch 可见的显卡</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>检查</translation>
    </message>
    <message>
        <source>Choose a Python</source>
        <translation>选择一个 Python</translation>
    </message>
    <message>
        <source>Connecting to {machine}…</source>
        <translation>正在连接 {machine}…</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy the command</source>
        <translation>复制命令</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>主机</translation>
    </message>
    <message>
        <source>In this machine</source>
        <translation>在本机</translation>
    </message>
    <message>
        <source>Machine</source>
        <translation>机器</translation>
    </message>
    <message>
        <source>Name a machine that you reach with ssh without being asked for a password, and check it.</source>
        <translation>请填写一台无需输入密码即可用 ssh 登录的机器，然后检查。</translation>
    </message>
    <message>
        <source>Near what is open</source>
        <translation>在打开的文件附近</translation>
    </message>
    <message>
        <source>Options for ssh</source>
        <translation>ssh 选项</translation>
    </message>
    <message>
        <source>Other machines</source>
        <translation>其他机器</translation>
    </message>
    <message>
        <source>Python</source>
        <translation>Python</translation>
    </message>
    <message>
        <source>Python on that machine</source>
        <translation>那台机器上的 Python</translation>
    </message>
    <message>
        <source>Python there</source>
        <translation>那里的 Python</translation>
    </message>
    <message>
        <source>Python {python} is too old: the engine needs {oldest} or newer.</source>
        <translation>Python {python} 太旧：引擎需要 {oldest} 或更新版本。</translation>
    </message>
    <message>
        <source>The Python at hand</source>
        <translation>手边的 Python</translation>
    </message>
    <message>
        <source>The command that installs what is missing</source>
        <translation>安装所缺内容的命令</translation>
    </message>
    <message>
        <source>The options for ssh have a quotation mark without an end.</source>
        <translation>ssh 选项中的引号没有结束。</translation>
    </message>
    <message>
        <source>This program’s own</source>
        <translation>本程序自带</translation>
    </message>
    <message>
        <source>Use it</source>
        <translation>使用它</translation>
    </message>
    <message>
        <source>Used before</source>
        <translation>以前用过</translation>
    </message>
    <message>
        <source>What is there</source>
        <translation>那里有什么</translation>
    </message>
    <message>
        <source>Where the engine can run</source>
        <translation>引擎可以运行的位置</translation>
    </message>
    <message>
        <source>Where the engine runs</source>
        <translation>引擎运行的位置</translation>
    </message>
    <message>
        <source>from ssh’s configuration</source>
        <translation>来自 ssh 配置</translation>
    </message>
    <message>
        <source>gpu-box, user@gpu-box or ssh://user@gpu-box:2222</source>
        <translation>gpu-box、user@gpu-box 或 ssh://user@gpu-box:2222</translation>
    </message>
    <message>
        <source>importing torch…</source>
        <translation>正在导入 torch…</translation>
    </message>
    <message>
        <source>memplanner is not installed there</source>
        <translation>那里没有安装 memplanner</translation>
    </message>
    <message>
        <source>memplanner {own} is installed there.</source>
        <translation>那里装有 memplanner {own}。</translation>
    </message>
    <message>
        <source>memplanner {there} is installed there</source>
        <translation>那里装有 memplanner {there}</translation>
    </message>
    <message>
        <source>memplanner’s Python</source>
        <translation>memplanner 的 Python</translation>
    </message>
    <message>
        <source>no torch</source>
        <translation>无 torch</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>not installed</source>
        <translation>未安装</translation>
    </message>
    <message>
        <source>over ssh</source>
        <translation>通过 ssh</translation>
    </message>
    <message>
        <source>python3 there</source>
        <translation>那里的 python3</translation>
    </message>
    <message>
        <source>python3, or a path such as ~/venv/bin/python</source>
        <translation>python3，或路径，例如 ~/venv/bin/python</translation>
    </message>
    <message>
        <source>ssh options</source>
        <translation>ssh 选项</translation>
    </message>
    <message>
        <source>such as -p 2222 -i ~/.ssh/id_ed25519</source>
        <translation>例如 -p 2222 -i ~/.ssh/id_ed25519</translation>
    </message>
    <message>
        <source>torch ended this Python while it was imported.</source>
        <translation>导入 torch 时它使这个 Python 终止了。</translation>
    </message>
    <message>
        <source>torch took longer than {more_seconds} seconds to be imported.</source>
        <translation>导入 torch 超过了 {more_seconds} 秒。</translation>
    </message>
    <message>
        <source>{has}; the window brings its own engine along, {own}.</source>
        <translation>{has}；窗口会带上自己的引擎 {own}。</translation>
    </message>
    <message>
        <source>{names} and {last} are missing</source>
        <translation>缺少 {names} 和 {last}</translation>
    </message>
    <message>
        <source>{names} and {more} more are missing</source>
        <translation>缺少 {names} 以及另外 {more} 个</translation>
    </message>
    <message>
        <source>{name} is missing</source>
        <translation>缺少 {name}</translation>
    </message>
    <message>
        <source>{name} {version} is older than {oldest}</source>
        <translation>{name} {version} 早于 {oldest}</translation>
    </message>
    <message>
        <source>{old}: the engine needs 3.11 or newer.</source>
        <translation>{old}：引擎需要 3.11 或更新版本。</translation>
    </message>
    <message>
        <source>{python} there</source>
        <translation>那里的 {python}</translation>
    </message>
    <message>
        <source>{title} could not say what it has{said}.</source>
        <translation>{title} 无法说明它有什么{said}。</translation>
    </message>
    <message>
        <source>{where} has not answered within {first_seconds} seconds.</source>
        <translation>{where} 在 {first_seconds} 秒内没有应答。</translation>
    </message>
</context>
<context>
    <name>Explaining</name>
    <message>
        <source>All of it as text</source>
        <translation>全部内容作为文本</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>How it was made</source>
        <translation>得出的方式</translation>
    </message>
    <message>
        <source>How was this number made?</source>
        <translation>这个数字是怎么得来的？</translation>
    </message>
    <message>
        <source>Last figure (Alt+Left)</source>
        <translation>上一个数字 (Alt+Left)</translation>
    </message>
    <message>
        <source>More in help</source>
        <translation>更多帮助</translation>
    </message>
    <message>
        <source>Next figure (Alt+Right)</source>
        <translation>下一个数字 (Alt+Right)</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>步</translation>
    </message>
</context>
<context>
    <name>Help</name>
    <message>
        <source>Back</source>
        <translation>后退</translation>
    </message>
    <message>
        <source>Beside every option stands what choosing it would save or take, before you choose it. Ctrl Z takes an edit back.</source>
        <translation>每个选项旁边写着选择它会省下或占用多少，在你选择之前就能看到。Ctrl Z 撤回一次编辑。</translation>
    </message>
    <message>
        <source>Contents</source>
        <translation>目录</translation>
    </message>
    <message>
        <source>Does it fit?</source>
        <translation>放得下吗？</translation>
    </message>
    <message>
        <source>Done</source>
        <translation>完成</translation>
    </message>
    <message>
        <source>Find a plan, then run it</source>
        <translation>找到方案，然后运行</translation>
    </message>
    <message>
        <source>Fit… and the Search view find plans that fit. Apply runs the plan for a few real steps on this machine, and puts what is measured beside what was predicted.</source>
        <translation>“放入显存…”和“搜索”视图会找出放得下的方案。“试运行”在本机把方案真实运行几步，并把实测值放在预测值旁边。</translation>
    </message>
    <message>
        <source>Forward</source>
        <translation>前进</translation>
    </message>
    <message>
        <source>Help – memplanner</source>
        <translation>帮助 – memplanner</translation>
    </message>
    <message>
        <source>In memplanner’s sources:</source>
        <translation>在 memplanner 的源代码中：</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>下一步</translation>
    </message>
    <message>
        <source>No page has these words.</source>
        <translation>没有页面包含这些词。</translation>
    </message>
    <message>
        <source>On the web:</source>
        <translation>在网上：</translation>
    </message>
    <message>
        <source>Open in a browser</source>
        <translation>在浏览器中打开</translation>
    </message>
    <message>
        <source>Page</source>
        <translation>页面</translation>
    </message>
    <message>
        <source>Search the help</source>
        <translation>搜索帮助</translation>
    </message>
    <message>
        <source>Skip the tour</source>
        <translation>跳过导览</translation>
    </message>
    <message>
        <source>The verdict, what the card holds at the peak, and how long a step takes. They follow every edit; press one to read how it was made.</source>
        <translation>结论、峰值时显卡上的占用，以及一步需要多久。它们随每次编辑更新；按下任意一项可了解它是怎么得来的。</translation>
    </message>
    <message>
        <source>What would change?</source>
        <translation>会有什么变化？</translation>
    </message>
    <message>
        <source>{at} of {count}</source>
        <translation>{at} / {count}</translation>
    </message>
    <message>
        <source>{title} – memplanner help</source>
        <translation>{title} – memplanner 帮助</translation>
    </message>
</context>
<context>
    <name>Plan</name>
    <message>
        <source>4 bits</source>
        <translation>4 位</translation>
    </message>
    <message>
        <source>4 bits, torchao</source>
        <translation>4 位，torchao</translation>
    </message>
    <message>
        <source>8 bits</source>
        <translation>8 位</translation>
    </message>
    <message>
        <source>8 bits, bitsandbytes</source>
        <translation>8 位，bitsandbytes</translation>
    </message>
    <message>
        <source>8 bits, paged</source>
        <translation>8 位，分页</translation>
    </message>
    <message>
        <source>8 bits, torchao</source>
        <translation>8 位，torchao</translation>
    </message>
    <message>
        <source>A ViT-L on 12 GB, 64 images a step</source>
        <translation>12 GB 上的 ViT-L，每步 64 张图像</translation>
    </message>
    <message>
        <source>A block&apos;s parameters are on the device while it runs. GPU only; saves memory now.</source>
        <translation>块的参数只在运行时位于设备上。仅限 GPU；现在就节省显存。</translation>
    </message>
    <message>
        <source>A full fine-tune.</source>
        <translation>全参数微调。</translation>
    </message>
    <message>
        <source>A prompt is read and tokens are written one by one, as transformers’ generate does.</source>
        <translation>读入提示词，再像 transformers 的 generate 那样逐个写出 token。</translation>
    </message>
    <message>
        <source>A recomputed block keeps its input and runs forward once more in backward. All blocks together cost about a third more time, and save most activations.</source>
        <translation>重计算的块只保留输入，并在反向传播时再做一次前向。所有块都重计算时，时间约增加三分之一，可省去大部分激活值。</translation>
    </message>
    <message>
        <source>A run of blocks before the last; needs no data.</source>
        <translation>最后一块之前的一段连续块；不需要数据。</translation>
    </message>
    <message>
        <source>A share</source>
        <translation>一个份额</translation>
    </message>
    <message>
        <source>A shell file of flags, for pretraining over many cards.</source>
        <translation>由命令行参数组成的 shell 文件，用于多卡预训练。</translation>
    </message>
    <message>
        <source>A small one to run here</source>
        <translation>可在这里运行的小模型</translation>
    </message>
    <message>
        <source>A training script that carries the whole plan.</source>
        <translation>承载整个方案的训练脚本。</translation>
    </message>
    <message>
        <source>Above zero, each adapter keeps a mask.</source>
        <translation>大于零时，每个适配器保留一个掩码。</translation>
    </message>
    <message>
        <source>Above zero, one more state a parameter.</source>
        <translation>大于零时，每个参数多一份状态。</translation>
    </message>
    <message>
        <source>Accelerate</source>
        <translation>Accelerate</translation>
    </message>
    <message>
        <source>Accumulate</source>
        <translation>梯度累积</translation>
    </message>
    <message>
        <source>Activ.</source>
        <translation>激活</translation>
    </message>
    <message>
        <source>Activation checkpointing</source>
        <translation>激活重计算（检查点）</translation>
    </message>
    <message>
        <source>Activation offload</source>
        <translation>激活卸载</translation>
    </message>
    <message>
        <source>Activations</source>
        <translation>激活值</translation>
    </message>
    <message>
        <source>Adafactor</source>
        <translation>Adafactor</translation>
    </message>
    <message>
        <source>Adagrad</source>
        <translation>Adagrad</translation>
    </message>
    <message>
        <source>Adam</source>
        <translation>Adam</translation>
    </message>
    <message>
        <source>AdamW</source>
        <translation>AdamW</translation>
    </message>
    <message>
        <source>Adapters</source>
        <translation>适配器</translation>
    </message>
    <message>
        <source>After backward</source>
        <translation>反向传播之后</translation>
    </message>
    <message>
        <source>After the step</source>
        <translation>步之后</translation>
    </message>
    <message>
        <source>Ahead of time</source>
        <translation>预先</translation>
    </message>
    <message>
        <source>All forwards, then all backwards: every micro-batch in flight.</source>
        <translation>先做全部前向，再做全部反向：所有微批次都在途。</translation>
    </message>
    <message>
        <source>All layers together</source>
        <translation>所有层一起</translation>
    </message>
    <message>
        <source>All linear but the head</source>
        <translation>除输出头外的所有线性层</translation>
    </message>
    <message>
        <source>All linear layers</source>
        <translation>所有线性层</translation>
    </message>
    <message>
        <source>All of a 70B on eight cards</source>
        <translation>八张卡上的完整 70B</translation>
    </message>
    <message>
        <source>All of an 8B on one 80 GB card</source>
        <translation>一张 80 GB 卡上的完整 8B</translation>
    </message>
    <message>
        <source>All parameters at once: temporaries as large as the gradients.</source>
        <translation>一次处理所有参数：临时张量与梯度一样大。</translation>
    </message>
    <message>
        <source>All parameters stay on the device.</source>
        <translation>所有参数都留在设备上。</translation>
    </message>
    <message>
        <source>All parameters together, once backward ended.</source>
        <translation>反向传播结束后，所有参数一起更新。</translation>
    </message>
    <message>
        <source>All-gather</source>
        <translation>All-gather</translation>
    </message>
    <message>
        <source>All-to-all</source>
        <translation>All-to-all</translation>
    </message>
    <message>
        <source>Allocator slack</source>
        <translation>分配器余留</translation>
    </message>
    <message>
        <source>Alpha</source>
        <translation>Alpha</translation>
    </message>
    <message>
        <source>Another model</source>
        <translation>另一个模型</translation>
    </message>
    <message>
        <source>As 8 bits, in memory that moves to the host when the card is full. GPU only.</source>
        <translation>同 8 位，但显存满时移到主机内存。仅限 GPU。</translation>
    </message>
    <message>
        <source>As Hugging Face&apos;s Trainer does.</source>
        <translation>与 Hugging Face 的 Trainer 相同。</translation>
    </message>
    <message>
        <source>As a plain loop does: the last outputs are alive in the next forward.</source>
        <translation>与普通循环相同：下一次前向时上一次的输出仍然存活。</translation>
    </message>
    <message>
        <source>As a step function does.</source>
        <translation>与单步函数相同。</translation>
    </message>
    <message>
        <source>As bf16 mixed, in fp16 with a scaled loss.</source>
        <translation>同 bf16 混合精度，但用 fp16 并缩放损失。</translation>
    </message>
    <message>
        <source>As in chunks, the logits once more in backward: the head&apos;s gradient is not there before, and a loss scaler can scale it. Saves memory now.</source>
        <translation>同分块计算，但反向时再算一次 logits：输出头的梯度不会提前出现，损失缩放器可以缩放它。现在就节省显存。</translation>
    </message>
    <message>
        <source>As interleaved, with the gradients of weights computed in idle moments.</source>
        <translation>同交错式，并在空闲时计算权重的梯度。</translation>
    </message>
    <message>
        <source>As many weights as the ratio says.</source>
        <translation>按比例所定的权重数量。</translation>
    </message>
    <message>
        <source>As replicated, but each card keeps the optimizer&apos;s state of its share only.</source>
        <translation>同复制式，但每张卡只保留自己那一份的优化器状态。</translation>
    </message>
    <message>
        <source>As the layer&apos;s Hessian says; the weights that stay make up.</source>
        <translation>按该层的 Hessian；留下的权重进行补偿。</translation>
    </message>
    <message>
        <source>As the precision says</source>
        <translation>与精度设置一致</translation>
    </message>
    <message>
        <source>As torch chooses</source>
        <translation>由 torch 选择</translation>
    </message>
    <message>
        <source>As written</source>
        <translation>按原样</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>Axolotl</source>
        <translation>Axolotl</translation>
    </message>
    <message>
        <source>Backend</source>
        <translation>后端</translation>
    </message>
    <message>
        <source>Backward</source>
        <translation>反向</translation>
    </message>
    <message>
        <source>Backward follows as soon as it can: few micro-batches in flight.</source>
        <translation>反向尽早跟上：在途的微批次很少。</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>批次</translation>
    </message>
    <message>
        <source>Batches for scores</source>
        <translation>用于打分的批次</translation>
    </message>
    <message>
        <source>Beams</source>
        <translation>束</translation>
    </message>
    <message>
        <source>Before backward</source>
        <translation>反向传播之前</translation>
    </message>
    <message>
        <source>Before forward</source>
        <translation>前向之前</translation>
    </message>
    <message>
        <source>Before training</source>
        <translation>训练之前</translation>
    </message>
    <message>
        <source>Between</source>
        <translation>步间</translation>
    </message>
    <message>
        <source>Between device and host</source>
        <translation>设备与主机之间</translation>
    </message>
    <message>
        <source>Between steps</source>
        <translation>两步之间</translation>
    </message>
    <message>
        <source>Bits</source>
        <translation>位数</translation>
    </message>
    <message>
        <source>Blocks</source>
        <translation>块</translation>
    </message>
    <message>
        <source>Blocks a stage</source>
        <translation>每阶段的块数</translation>
    </message>
    <message>
        <source>Blocks keep what spares the most time for a number of bytes.</source>
        <translation>在给定的字节数内，各块保留最省时间的内容。</translation>
    </message>
    <message>
        <source>Blocks that are gathered ahead of need beside torch&apos;s own one in backward.</source>
        <translation>除 torch 自身在反向时预取的一块外，再提前收集的块数。</translation>
    </message>
    <message>
        <source>Bucket</source>
        <translation>桶</translation>
    </message>
    <message>
        <source>Budget</source>
        <translation>预算</translation>
    </message>
    <message>
        <source>Budget, MiB</source>
        <translation>预算，MiB</translation>
    </message>
    <message>
        <source>Buffers</source>
        <translation>缓冲区</translation>
    </message>
    <message>
        <source>By name</source>
        <translation>按名称</translation>
    </message>
    <message>
        <source>By the angle between their input and output.</source>
        <translation>按其输入与输出之间的夹角。</translation>
    </message>
    <message>
        <source>By torch&apos;s own rules for the device, type and mask.</source>
        <translation>按 torch 自身针对设备、类型和掩码的规则。</translation>
    </message>
    <message>
        <source>CUDA context</source>
        <translation>CUDA 上下文</translation>
    </message>
    <message>
        <source>Cache bits</source>
        <translation>缓存位数</translation>
    </message>
    <message>
        <source>Cache group</source>
        <translation>缓存分组</translation>
    </message>
    <message>
        <source>Cards</source>
        <translation>卡</translation>
    </message>
    <message>
        <source>Cards a node</source>
        <translation>每节点卡数</translation>
    </message>
    <message>
        <source>Cards in each machine.</source>
        <translation>每台机器中的卡数。</translation>
    </message>
    <message>
        <source>Cards over which a mixture&apos;s experts are dealt out; they are data-parallel otherwise.</source>
        <translation>分摊混合专家的卡数；其余方面它们是数据并行的。</translation>
    </message>
    <message>
        <source>Cards over which each layer&apos;s matrices are split.</source>
        <translation>切分每层矩阵的卡数。</translation>
    </message>
    <message>
        <source>Cards over which each sequence is split; attention goes round in a ring.</source>
        <translation>切分每个序列的卡数；注意力以环形方式传递。</translation>
    </message>
    <message>
        <source>Cards over which the blocks are dealt out, as stages.</source>
        <translation>把各块作为流水线阶段分摊的卡数。</translation>
    </message>
    <message>
        <source>Channel</source>
        <translation>通道</translation>
    </message>
    <message>
        <source>Channels</source>
        <translation>通道</translation>
    </message>
    <message>
        <source>Chosen anew</source>
        <translation>重新选择</translation>
    </message>
    <message>
        <source>Chosen by</source>
        <translation>选择依据</translation>
    </message>
    <message>
        <source>Chosen separately; its vocabulary must be the teacher&apos;s.</source>
        <translation>单独选择；其词表必须与教师相同。</translation>
    </message>
    <message>
        <source>Chunks</source>
        <translation>分块数</translation>
    </message>
    <message>
        <source>Clipping</source>
        <translation>裁剪</translation>
    </message>
    <message>
        <source>Comm.</source>
        <translation>通信</translation>
    </message>
    <message>
        <source>Communication</source>
        <translation>通信</translation>
    </message>
    <message>
        <source>Companding</source>
        <translation>压扩</translation>
    </message>
    <message>
        <source>Compared</source>
        <translation>比较范围</translation>
    </message>
    <message>
        <source>Compilation</source>
        <translation>编译</translation>
    </message>
    <message>
        <source>Compile</source>
        <translation>编译</translation>
    </message>
    <message>
        <source>Computation waits for communication.</source>
        <translation>计算等待通信。</translation>
    </message>
    <message>
        <source>Context parallel</source>
        <translation>上下文并行</translation>
    </message>
    <message>
        <source>Contiguous gradients</source>
        <translation>连续梯度</translation>
    </message>
    <message>
        <source>Copied there in forward and back in backward. GPU only; saves memory now.</source>
        <translation>前向时复制过去，反向时取回。仅限 GPU；现在就节省显存。</translation>
    </message>
    <message>
        <source>Curvature</source>
        <translation>曲率</translation>
    </message>
    <message>
        <source>Curve</source>
        <translation>曲线</translation>
    </message>
    <message>
        <source>DDP × {}</source>
        <translation>DDP × {}</translation>
    </message>
    <message>
        <source>DDP, ZeroRedundancyOptimizer and FSDP2; recorded as they run.</source>
        <translation>DDP、ZeroRedundancyOptimizer 和 FSDP2；按其实际运行记录。</translation>
    </message>
    <message>
        <source>Data parallel</source>
        <translation>数据并行</translation>
    </message>
    <message>
        <source>Decode</source>
        <translation>解码</translation>
    </message>
    <message>
        <source>DeepSpeed</source>
        <translation>DeepSpeed</translation>
    </message>
    <message>
        <source>DeepSpeed&apos;s default</source>
        <translation>DeepSpeed 默认</translation>
    </message>
    <message>
        <source>DeepSpeed&apos;s overlapping streams</source>
        <translation>DeepSpeed 的重叠流</translation>
    </message>
    <message>
        <source>Deviations of its layer</source>
        <translation>该层的标准差</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Device overhead</source>
        <translation>设备开销</translation>
    </message>
    <message>
        <source>Distillation</source>
        <translation>蒸馏</translation>
    </message>
    <message>
        <source>Double quantization</source>
        <translation>双重量化</translation>
    </message>
    <message>
        <source>Dropout</source>
        <translation>Dropout</translation>
    </message>
    <message>
        <source>Dropped after the loss</source>
        <translation>损失之后丢弃</translation>
    </message>
    <message>
        <source>Dynamic int8</source>
        <translation>动态 int8</translation>
    </message>
    <message>
        <source>Each block</source>
        <translation>每个块</translation>
    </message>
    <message>
        <source>Each block keeps its input only: one more forward of time.</source>
        <translation>每个块只保留输入：多一次前向的时间。</translation>
    </message>
    <message>
        <source>Each block keeps the results of those named.</source>
        <translation>每个块保留所列操作的结果。</translation>
    </message>
    <message>
        <source>Each block&apos;s weights come to the device for its forward alone. Costs their time on the bus every step.</source>
        <translation>每个块的权重只在其前向时来到设备。每步都要花费总线传输时间。</translation>
    </message>
    <message>
        <source>Each layer</source>
        <translation>每层</translation>
    </message>
    <message>
        <source>Each of these cards keeps the logits of its part of the vocabulary; none has them all.</source>
        <translation>这些卡各自只保留词表中自己那部分的 logits；没有哪张卡拥有全部。</translation>
    </message>
    <message>
        <source>Each parameter as soon as its gradient is there, which is freed at once: gradients are never there together. Saves memory now.</source>
        <translation>每个参数的梯度一到就更新并立即释放：梯度从不同时存在。现在就节省显存。</translation>
    </message>
    <message>
        <source>Each step</source>
        <translation>每一步</translation>
    </message>
    <message>
        <source>Elements gathered together after a step of ZeRO-1 or ZeRO-2, in place.</source>
        <translation>ZeRO-1 或 ZeRO-2 一步之后一起就地收集的元素数。</translation>
    </message>
    <message>
        <source>Elements of gradients that DeepSpeed reduces together; the buffer is always that large.</source>
        <translation>DeepSpeed 一起规约的梯度元素数；缓冲区始终这么大。</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>误差</translation>
    </message>
    <message>
        <source>Est. step</source>
        <translation>估计步时</translation>
    </message>
    <message>
        <source>Evenly spaced levels behind a curve. Saves memory now.</source>
        <translation>曲线之后的均匀分级。现在就节省显存。</translation>
    </message>
    <message>
        <source>Evenly spaced levels between two limits. Saves memory now.</source>
        <translation>两个界限之间的均匀分级。现在就节省显存。</translation>
    </message>
    <message>
        <source>Every</source>
        <translation>间隔</translation>
    </message>
    <message>
        <source>Every block</source>
        <translation>每个块</translation>
    </message>
    <message>
        <source>Every block is recomputed in backward; with all activations kept, the card would be too small.</source>
        <translation>每个块都在反向时重计算；若保留全部激活值，这张卡就太小了。</translation>
    </message>
    <message>
        <source>Every card holds the whole model; gradients are averaged in buckets.</source>
        <translation>每张卡都持有整个模型；梯度按桶取平均。</translation>
    </message>
    <message>
        <source>Every micro-batch</source>
        <translation>每个微批次</translation>
    </message>
    <message>
        <source>Every n-th block</source>
        <translation>每 n 个块</translation>
    </message>
    <message>
        <source>Every operation is a call of its own.</source>
        <translation>每个操作都是一次单独的调用。</translation>
    </message>
    <message>
        <source>Every token reads the whole text again: least memory kept, slowest.</source>
        <translation>每个 token 都重读全文：保留的内容最少，速度最慢。</translation>
    </message>
    <message>
        <source>Every weight below the threshold, however many.</source>
        <translation>低于阈值的每个权重，不论多少。</translation>
    </message>
    <message>
        <source>Every weight keeps its type.</source>
        <translation>每个权重保持其类型。</translation>
    </message>
    <message>
        <source>Every weight stays.</source>
        <translation>每个权重都保留。</translation>
    </message>
    <message>
        <source>Everything goes before the first step.</source>
        <translation>第一步之前全部去除。</translation>
    </message>
    <message>
        <source>Everything in four bytes.</source>
        <translation>全部用四个字节。</translation>
    </message>
    <message>
        <source>Expert parallel</source>
        <translation>专家并行</translation>
    </message>
    <message>
        <source>Exponent</source>
        <translation>指数</translation>
    </message>
    <message>
        <source>FSDP2 shares model and states over eight H200; on eight cards of 80 GB it would not fit.</source>
        <translation>FSDP2 把模型和状态分摊到八张 H200；八张 80 GB 的卡放不下。</translation>
    </message>
    <message>
        <source>Faster copies; the system cannot swap it out. No effect on the device&apos;s memory.</source>
        <translation>复制更快；系统无法把它换出。对设备显存没有影响。</translation>
    </message>
    <message>
        <source>Faster; ZeRO-1 and ZeRO-2 take a second bucket.</source>
        <translation>更快；ZeRO-1 和 ZeRO-2 会多占一个桶。</translation>
    </message>
    <message>
        <source>Fewer blocks</source>
        <translation>减少块</translation>
    </message>
    <message>
        <source>Fewer heads</source>
        <translation>减少头</translation>
    </message>
    <message>
        <source>First step</source>
        <translation>第一步</translation>
    </message>
    <message>
        <source>Fisher</source>
        <translation>Fisher</translation>
    </message>
    <message>
        <source>Flash</source>
        <translation>Flash</translation>
    </message>
    <message>
        <source>For accelerate launch: precision, device and cards.</source>
        <translation>用于 accelerate launch：精度、设备和卡数。</translation>
    </message>
    <message>
        <source>For axolotl train: fine-tuning, with and without adapters.</source>
        <translation>用于 axolotl train：微调，可带或不带适配器。</translation>
    </message>
    <message>
        <source>For llamafactory-cli train: fine-tuning, with and without adapters.</source>
        <translation>用于 llamafactory-cli train：微调，可带或不带适配器。</translation>
    </message>
    <message>
        <source>For loop</source>
        <translation>逐个循环</translation>
    </message>
    <message>
        <source>For sbatch: the PyTorch script on every machine of the plan.</source>
        <translation>用于 sbatch：在方案的每台机器上运行 PyTorch 脚本。</translation>
    </message>
    <message>
        <source>For the deepspeed launcher and trainers that take its JSON: ZeRO and offload.</source>
        <translation>用于 deepspeed 启动器以及接受其 JSON 的训练框架：ZeRO 与卸载。</translation>
    </message>
    <message>
        <source>For trl sft: supervised fine-tuning with the Transformers Trainer.</source>
        <translation>用于 trl sft：基于 Transformers Trainer 的监督微调。</translation>
    </message>
    <message>
        <source>For-each</source>
        <translation>For-each</translation>
    </message>
    <message>
        <source>For-each on CUDA, a loop on the CPU; Adafactor and Lion take the loop everywhere.</source>
        <translation>CUDA 上用 for-each，CPU 上用循环；Adafactor 和 Lion 一律用循环。</translation>
    </message>
    <message>
        <source>Forward</source>
        <translation>前向</translation>
    </message>
    <message>
        <source>Forward, backward and the optimizer&apos;s step.</source>
        <translation>前向、反向和优化器步。</translation>
    </message>
    <message>
        <source>Four bytes a weight.</source>
        <translation>每个权重四个字节。</translation>
    </message>
    <message>
        <source>Free</source>
        <translation>空闲</translation>
    </message>
    <message>
        <source>Freezes the model and trains low-rank matrices beside chosen layers. Gradients and optimizer state shrink to the adapters&apos;; activations stay about the same.</source>
        <translation>冻结模型，在选定的层旁训练低秩矩阵。梯度和优化器状态缩小到适配器的规模；激活值大致不变。</translation>
    </message>
    <message>
        <source>From 1, the fastest, to 0, where a block keeps its inputs alone: the share of what the fastest keeps for backward (torch&apos;s activation_memory_budget).</source>
        <translation>从 1（最快）到 0（块只保留输入）：在最快方式为反向保留的内容中所占的比例（torch 的 activation_memory_budget）。</translation>
    </message>
    <message>
        <source>From none to the whole share, fast first, then slower.</source>
        <translation>从零到全部份额，先快后慢。</translation>
    </message>
    <message>
        <source>Fused</source>
        <translation>融合</translation>
    </message>
    <message>
        <source>GB/s that a card can send to others of its node; none for what its maker states.</source>
        <translation>一张卡向同节点其他卡发送的速率，GB/s；“无”表示取厂商标称值。</translation>
    </message>
    <message>
        <source>GB/s that each card can send to other nodes; 50 for 400 Gb/s a card. None: not known.</source>
        <translation>每张卡向其他节点发送的速率，GB/s；每卡 400 Gb/s 即为 50。“无”：未知。</translation>
    </message>
    <message>
        <source>GPipe</source>
        <translation>GPipe</translation>
    </message>
    <message>
        <source>GaLore</source>
        <translation>GaLore</translation>
    </message>
    <message>
        <source>GaLore rank {}</source>
        <translation>GaLore 秩 {}</translation>
    </message>
    <message>
        <source>Gather bucket</source>
        <translation>收集桶</translation>
    </message>
    <message>
        <source>Generated kernels</source>
        <translation>生成的内核</translation>
    </message>
    <message>
        <source>Generated kernels: what a chain of small operations makes between them takes no memory.</source>
        <translation>生成内核：一连串小操作的中间结果不占显存。</translation>
    </message>
    <message>
        <source>Generation</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Grad.</source>
        <translation>梯度</translation>
    </message>
    <message>
        <source>Gradient × weight: what the loss would change by.</source>
        <translation>梯度 × 权重：损失会随之改变的量。</translation>
    </message>
    <message>
        <source>Gradients</source>
        <translation>梯度</translation>
    </message>
    <message>
        <source>Gradients are alive during the next forward.</source>
        <translation>下一次前向期间梯度仍然存活。</translation>
    </message>
    <message>
        <source>Gradients are cleared</source>
        <translation>清除梯度</translation>
    </message>
    <message>
        <source>Gradients are copied into the bucket as they come.</source>
        <translation>梯度产生时复制到桶中。</translation>
    </message>
    <message>
        <source>Gradients are gone before the next forward.</source>
        <translation>下一次前向之前梯度已释放。</translation>
    </message>
    <message>
        <source>Gradients are reduced</source>
        <translation>规约梯度</translation>
    </message>
    <message>
        <source>Gradients are reduced after each backward, and kept as shares.</source>
        <translation>每次反向之后规约梯度，并按份额保留。</translation>
    </message>
    <message>
        <source>Gradients are reduced while backward goes on.</source>
        <translation>反向进行期间规约梯度。</translation>
    </message>
    <message>
        <source>Gradients are views of the buckets: no second copy of them.</source>
        <translation>梯度是桶的视图：没有第二份副本。</translation>
    </message>
    <message>
        <source>Gradients as they are.</source>
        <translation>梯度保持原样。</translation>
    </message>
    <message>
        <source>Gradients in buckets</source>
        <translation>梯度放在桶中</translation>
    </message>
    <message>
        <source>Gradients move there in backward; states lie and updates are made there. GPU only; saves memory now.</source>
        <translation>反向时梯度移过去；状态放在那里，更新也在那里进行。仅限 GPU；现在就节省显存。</translation>
    </message>
    <message>
        <source>Gradients of linear layers in a low rank, and so are their states. Saves memory now.</source>
        <translation>线性层的梯度取低秩，其状态也一样。现在就节省显存。</translation>
    </message>
    <message>
        <source>Gradients stay until the next step begins.</source>
        <translation>梯度保留到下一步开始。</translation>
    </message>
    <message>
        <source>Gradients too are kept as shares; gathered parameters stay until backward used them.</source>
        <translation>梯度也按份额保留；收集来的参数保留到反向用完为止。</translation>
    </message>
    <message>
        <source>Graphs only</source>
        <translation>仅计算图</translation>
    </message>
    <message>
        <source>Group</source>
        <translation>分组</translation>
    </message>
    <message>
        <source>Grows</source>
        <translation>动态增长</translation>
    </message>
    <message>
        <source>HIP context</source>
        <translation>HIP 上下文</translation>
    </message>
    <message>
        <source>Heads</source>
        <translation>头</translation>
    </message>
    <message>
        <source>Host memory</source>
        <translation>主机内存</translation>
    </message>
    <message>
        <source>How a weight becomes a few bits.</source>
        <translation>权重如何变成少数几位。</translation>
    </message>
    <message>
        <source>How head and cross-entropy are computed.</source>
        <translation>输出头与交叉熵的计算方式。</translation>
    </message>
    <message>
        <source>How it is chosen from the logits.</source>
        <translation>如何从 logits 中选择。</translation>
    </message>
    <message>
        <source>How keys and values of earlier tokens are kept, in the type of the model.</source>
        <translation>如何保留先前 token 的键和值，类型与模型相同。</translation>
    </message>
    <message>
        <source>How long the loop refers to the model&apos;s outputs.</source>
        <translation>循环引用模型输出的时长。</translation>
    </message>
    <message>
        <source>How many blocks each stage gets, such as 7, 8, 8, 9; empty for a balance by bytes.</source>
        <translation>各阶段得到的块数，例如 7, 8, 8, 9；留空则按字节平衡。</translation>
    </message>
    <message>
        <source>How many of the teacher&apos;s are kept, the largest; the rest is one more class. 0: all.</source>
        <translation>保留教师的多少个最大 logits；其余合为一类。0：全部。</translation>
    </message>
    <message>
        <source>How many pieces of the model each card holds.</source>
        <translation>每张卡持有模型的几段。</translation>
    </message>
    <message>
        <source>How many samples and tokens one forward takes, and how many forwards make a step. Activations grow with both; accumulation trades memory for time at the same batch.</source>
        <translation>一次前向取多少样本和 token，多少次前向构成一步。两者都会使激活值增长；梯度累积在批次不变时以时间换显存。</translation>
    </message>
    <message>
        <source>How much of the share goes early; 1 is even, 3 the published one.</source>
        <translation>份额有多少提前去除；1 为均匀，3 为论文所用。</translation>
    </message>
    <message>
        <source>How the cards of context parallelism come to each other&apos;s keys and values in a forward.</source>
        <translation>上下文并行的各卡在前向时如何获得彼此的键和值。</translation>
    </message>
    <message>
        <source>How the zeros are kept.</source>
        <translation>零值的保存方式。</translation>
    </message>
    <message>
        <source>How torch walks over the parameters.</source>
        <translation>torch 如何遍历参数。</translation>
    </message>
    <message>
        <source>Hybrid sharding: groups of cards that each hold one whole sharded copy.</source>
        <translation>混合分片：若干卡为一组，每组持有一份完整的分片副本。</translation>
    </message>
    <message>
        <source>Implementation</source>
        <translation>实现</translation>
    </message>
    <message>
        <source>In backward</source>
        <translation>反向传播中</translation>
    </message>
    <message>
        <source>In chunks</source>
        <translation>分块</translation>
    </message>
    <message>
        <source>In chunks, computed twice</source>
        <translation>分块，计算两次</translation>
    </message>
    <message>
        <source>In each M weights of a row only N stay, such as 2 of 4.</source>
        <translation>每行每 M 个权重中只保留 N 个，例如 4 取 2。</translation>
    </message>
    <message>
        <source>In host memory</source>
        <translation>主机内存中</translation>
    </message>
    <message>
        <source>In pinned memory of the card&apos;s machine.</source>
        <translation>在显卡所在机器的锁页内存中。</translation>
    </message>
    <message>
        <source>In what rank AdamW and Adam update linear layers.</source>
        <translation>AdamW 和 Adam 更新线性层所用的秩。</translation>
    </message>
    <message>
        <source>Inductor</source>
        <translation>Inductor</translation>
    </message>
    <message>
        <source>Inputs</source>
        <translation>输入</translation>
    </message>
    <message>
        <source>Inputs to int8 too, with a scale a token, as dynamic int8 would. Numerics only.</source>
        <translation>输入也转为 int8，每个 token 一个缩放因子，与动态 int8 相同。只影响数值。</translation>
    </message>
    <message>
        <source>Interleaved 1F1B</source>
        <translation>交错 1F1B</translation>
    </message>
    <message>
        <source>It stays on the card.</source>
        <translation>留在卡上。</translation>
    </message>
    <message>
        <source>Its linear layers but the head in few bits.</source>
        <translation>除输出头外，其线性层用少数几位。</translation>
    </message>
    <message>
        <source>KV</source>
        <translation>KV</translation>
    </message>
    <message>
        <source>KV cache</source>
        <translation>KV 缓存</translation>
    </message>
    <message>
        <source>Keep everything</source>
        <translation>全部保留</translation>
    </message>
    <message>
        <source>Keep some operations</source>
        <translation>保留部分操作</translation>
    </message>
    <message>
        <source>Keeps no scores; half precision on recent CUDA cards.</source>
        <translation>不保留分数；新近 CUDA 卡上的半精度。</translation>
    </message>
    <message>
        <source>Keeps no scores; needs half precision on CUDA and no custom mask.</source>
        <translation>不保留分数；在 CUDA 上需要半精度且没有自定义掩码。</translation>
    </message>
    <message>
        <source>Keeps no scores; takes masks and fp32. CUDA only.</source>
        <translation>不保留分数；支持掩码和 fp32。仅限 CUDA。</translation>
    </message>
    <message>
        <source>Keeps optimizer states, gradients or parameters in host memory. Exact, but they cross the bus in every step, and the host must have the room.</source>
        <translation>把优化器状态、梯度或参数放在主机内存。结果精确，但每步都要经过总线，主机也须有足够空间。</translation>
    </message>
    <message>
        <source>Keeps the frozen weights of linear layers in few bits and expands one layer at a time for its product. Weights shrink to bits ÷ 16 of half precision, plus their scales.</source>
        <translation>把线性层冻结的权重存为少数几位，计算乘积时逐层展开。权重缩小到半精度的（位数 ÷ 16），另加缩放因子。</translation>
    </message>
    <message>
        <source>Keeps the scales in 8 bits: 0.37 bits a weight less.</source>
        <translation>缩放因子用 8 位保存：每个权重少 0.37 位。</translation>
    </message>
    <message>
        <source>Kept as</source>
        <translation>保存为</translation>
    </message>
    <message>
        <source>Kept by the driver</source>
        <translation>由驱动保留</translation>
    </message>
    <message>
        <source>Kept to the end of the step</source>
        <translation>保留到步结束</translation>
    </message>
    <message>
        <source>Kept until replaced</source>
        <translation>保留到被替换</translation>
    </message>
    <message>
        <source>Kernel</source>
        <translation>内核</translation>
    </message>
    <message>
        <source>Kernels loaded at the start</source>
        <translation>启动时加载的内核</translation>
    </message>
    <message>
        <source>Keys and values go round by</source>
        <translation>键和值的传递方式</translation>
    </message>
    <message>
        <source>Keys and values of all cards at once; torch&apos;s default.</source>
        <translation>一次取得所有卡的键和值；torch 的默认方式。</translation>
    </message>
    <message>
        <source>Keys and values of the tokens so far; a new tensor every token.</source>
        <translation>到目前为止各 token 的键和值；每个 token 一个新张量。</translation>
    </message>
    <message>
        <source>LLaMA-Factory</source>
        <translation>LLaMA-Factory</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>Last step</source>
        <translation>最后一步</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Layers with sliding attention keep their window and no more. The text is the same.</source>
        <translation>滑动注意力的层只保留其窗口。文本不变。</translation>
    </message>
    <message>
        <source>Learning rate</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>Least squared error</source>
        <translation>最小平方误差</translation>
    </message>
    <message>
        <source>Less traffic; whole gradients stay on every card until the last backward.</source>
        <translation>通信更少；完整梯度留在每张卡上直到最后一次反向。</translation>
    </message>
    <message>
        <source>Levels around zero, and one number a scale instead of two.</source>
        <translation>级别以零为中心，每个缩放只需一个数而不是两个。</translation>
    </message>
    <message>
        <source>Linear</source>
        <translation>线性</translation>
    </message>
    <message>
        <source>Linear layers in groups of 64. Saves memory now.</source>
        <translation>线性层，每 64 个一组。现在就节省显存。</translation>
    </message>
    <message>
        <source>Link between nodes</source>
        <translation>节点间链路</translation>
    </message>
    <message>
        <source>Link in a node</source>
        <translation>节点内链路</translation>
    </message>
    <message>
        <source>Lion</source>
        <translation>Lion</translation>
    </message>
    <message>
        <source>Live parameters</source>
        <translation>存活参数上限</translation>
    </message>
    <message>
        <source>LoRA</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Loaded kernels</source>
        <translation>已加载的内核</translation>
    </message>
    <message>
        <source>Logarithmic: fine steps near zero. Numerics only.</source>
        <translation>对数式：零附近步长细。只影响数值。</translation>
    </message>
    <message>
        <source>Logits of a position</source>
        <translation>每个位置的 logits</translation>
    </message>
    <message>
        <source>Logits, loss and gradient of some positions at a time. Saves memory now.</source>
        <translation>每次只处理部分位置的 logits、损失和梯度。现在就节省显存。</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>Loss parallel</source>
        <translation>损失并行</translation>
    </message>
    <message>
        <source>MLP width</source>
        <translation>MLP 宽度</translation>
    </message>
    <message>
        <source>MLP {}%</source>
        <translation>MLP {}%</translation>
    </message>
    <message>
        <source>MLP −{}%</source>
        <translation>MLP −{}%</translation>
    </message>
    <message>
        <source>Machines.</source>
        <translation>机器数。</translation>
    </message>
    <message>
        <source>Made smaller</source>
        <translation>缩小而得</translation>
    </message>
    <message>
        <source>Magnitude</source>
        <translation>幅值</translation>
    </message>
    <message>
        <source>Masks</source>
        <translation>掩码</translation>
    </message>
    <message>
        <source>Matrix products</source>
        <translation>矩阵乘积</translation>
    </message>
    <message>
        <source>Measured</source>
        <translation>实测</translation>
    </message>
    <message>
        <source>Memory budget</source>
        <translation>显存预算</translation>
    </message>
    <message>
        <source>Memory-efficient</source>
        <translation>省显存</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>方法</translation>
    </message>
    <message>
        <source>MiB of gradients that are reduced together.</source>
        <translation>一起规约的梯度，MiB。</translation>
    </message>
    <message>
        <source>MiB that blocks may keep together, beside each one&apos;s input.</source>
        <translation>除各自的输入外，各块总共可保留的 MiB。</translation>
    </message>
    <message>
        <source>Micro-batch</source>
        <translation>微批次</translation>
    </message>
    <message>
        <source>Micro-batches of the run&apos;s data that scores are taken from.</source>
        <translation>从运行数据中取多少微批次来打分。</translation>
    </message>
    <message>
        <source>Micro-batches whose gradients are added up before one optimizer step.</source>
        <translation>梯度累加多少个微批次之后做一次优化器步。</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Modules</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>Momentum</source>
        <translation>动量</translation>
    </message>
    <message>
        <source>More and more</source>
        <translation>逐渐增多</translation>
    </message>
    <message>
        <source>More where scores are low. Numerics only.</source>
        <translation>分数低处更多。只影响数值。</translation>
    </message>
    <message>
        <source>Moves kept activations to host memory until backward needs them. Exact, but each crosses the bus twice a step; recomputing is often faster.</source>
        <translation>把保留的激活值移到主机内存，直到反向需要。结果精确，但每步要两次经过总线；重计算往往更快。</translation>
    </message>
    <message>
        <source>N of M</source>
        <translation>N:M</translation>
    </message>
    <message>
        <source>NCCL buffers</source>
        <translation>NCCL 缓冲区</translation>
    </message>
    <message>
        <source>NF4</source>
        <translation>NF4</translation>
    </message>
    <message>
        <source>NF{}</source>
        <translation>NF{}</translation>
    </message>
    <message>
        <source>NF{} weights</source>
        <translation>NF{} 权重</translation>
    </message>
    <message>
        <source>NVMe</source>
        <translation>NVMe</translation>
    </message>
    <message>
        <source>Names</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Names of layers such as q_proj, or patterns such as model.layers.*.mlp.*.</source>
        <translation>层名，例如 q_proj，或模式，例如 model.layers.*.mlp.*。</translation>
    </message>
    <message>
        <source>Names of the layers to adapt, such as q_proj and v_proj; empty takes every linear layer but the head.</source>
        <translation>要适配的层名，例如 q_proj 和 v_proj；留空则取除输出头外的每个线性层。</translation>
    </message>
    <message>
        <source>Names such as model.layers.3 or mlp, or patterns such as model.layers.*.mlp.</source>
        <translation>名称，例如 model.layers.3 或 mlp，或模式，例如 model.layers.*.mlp。</translation>
    </message>
    <message>
        <source>Narrower MLPs</source>
        <translation>更窄的 MLP</translation>
    </message>
    <message>
        <source>Narrower hidden states</source>
        <translation>更窄的隐藏状态</translation>
    </message>
    <message>
        <source>Nearly even near zero, coarse at the ends. Numerics only.</source>
        <translation>零附近近乎均匀，两端粗。只影响数值。</translation>
    </message>
    <message>
        <source>New projection every</source>
        <translation>每隔多少步更新投影</translation>
    </message>
    <message>
        <source>New tokens</source>
        <translation>新 token 数</translation>
    </message>
    <message>
        <source>Next token</source>
        <translation>下一个 token</translation>
    </message>
    <message>
        <source>No copy of the logits but one.</source>
        <translation>logits 只有一份副本。</translation>
    </message>
    <message>
        <source>No recomputation.</source>
        <translation>不重计算。</translation>
    </message>
    <message>
        <source>No state without momentum, one with it.</source>
        <translation>没有动量时无状态，有动量时一份。</translation>
    </message>
    <message>
        <source>Nodes</source>
        <translation>节点</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>None: as the precision says</source>
        <translation>无：与精度设置一致</translation>
    </message>
    <message>
        <source>None: on the card</source>
        <translation>无：在卡上</translation>
    </message>
    <message>
        <source>None: on the device</source>
        <translation>无：在设备上</translation>
    </message>
    <message>
        <source>None: they stay</source>
        <translation>无：留在原处</translation>
    </message>
    <message>
        <source>None: train every parameter</source>
        <translation>无：训练全部参数</translation>
    </message>
    <message>
        <source>Norms and residuals are split along the sequence over the same cards.</source>
        <translation>归一化和残差沿序列切分到同样的卡上。</translation>
    </message>
    <message>
        <source>Numbers of one head and token that share a scale and a minimum.</source>
        <translation>共用一个缩放和一个最小值的数，属于同一头和同一 token。</translation>
    </message>
    <message>
        <source>Of a key or value of an older token: 2, 4 or 8.</source>
        <translation>较早 token 的键或值的位数：2、4 或 8。</translation>
    </message>
    <message>
        <source>Of a weight, packed without gaps.</source>
        <translation>每个权重的位数，紧密打包。</translation>
    </message>
    <message>
        <source>Of the divergence from the teacher&apos;s distribution, times temperature².</source>
        <translation>与教师分布的散度的权重，乘以温度²。</translation>
    </message>
    <message>
        <source>Of the projected gradients.</source>
        <translation>投影后梯度的。</translation>
    </message>
    <message>
        <source>Of the squared error between attention maps; needs attention.kernel=eager.</source>
        <translation>注意力图之间平方误差的权重；需要 attention.kernel=eager。</translation>
    </message>
    <message>
        <source>Of the squared error between the student&apos;s and the teacher&apos;s, layer by layer.</source>
        <translation>学生与教师逐层之间平方误差的权重。</translation>
    </message>
    <message>
        <source>Of the student&apos;s own loss.</source>
        <translation>学生自身损失的权重。</translation>
    </message>
    <message>
        <source>Off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>Offload to</source>
        <translation>卸载到</translation>
    </message>
    <message>
        <source>Offload to host</source>
        <translation>卸载到主机</translation>
    </message>
    <message>
        <source>Older tokens in few bits, expanded one layer at a time. Saves memory now.</source>
        <translation>较早的 token 用少数几位，每次展开一层。现在就节省显存。</translation>
    </message>
    <message>
        <source>On</source>
        <translation>开</translation>
    </message>
    <message>
        <source>On a disk, through buffers in host memory. ZeRO-3 only.</source>
        <translation>在磁盘上，经由主机内存中的缓冲区。仅限 ZeRO-3。</translation>
    </message>
    <message>
        <source>On for ZeRO-3, off for ZeRO-1 and ZeRO-2.</source>
        <translation>ZeRO-3 为开，ZeRO-1 和 ZeRO-2 为关。</translation>
    </message>
    <message>
        <source>One block in this many is recomputed.</source>
        <translation>每这么多个块中重计算一个。</translation>
    </message>
    <message>
        <source>One card&apos;s after the other: less memory, more calls.</source>
        <translation>依次取每张卡的：显存更少，调用更多。</translation>
    </message>
    <message>
        <source>One forward</source>
        <translation>一次前向</translation>
    </message>
    <message>
        <source>One kernel, no temporaries.</source>
        <translation>一个内核，没有临时张量。</translation>
    </message>
    <message>
        <source>One parameter at a time: small temporaries, slow on CUDA.</source>
        <translation>一次一个参数：临时张量小，在 CUDA 上慢。</translation>
    </message>
    <message>
        <source>One scale a weight matrix: one outlier widens every step.</source>
        <translation>每个权重矩阵一个缩放：一个离群值会拉大每一级。</translation>
    </message>
    <message>
        <source>One scale an output channel.</source>
        <translation>每个输出通道一个缩放。</translation>
    </message>
    <message>
        <source>One scale for this many weights in a row.</source>
        <translation>一行中这么多个权重共用一个缩放。</translation>
    </message>
    <message>
        <source>One state a parameter, made before the first step.</source>
        <translation>每个参数一份状态，在第一步之前创建。</translation>
    </message>
    <message>
        <source>One state a parameter, two with momentum.</source>
        <translation>每个参数一份状态，有动量时两份。</translation>
    </message>
    <message>
        <source>One state a parameter; each step has the size of the learning rate.</source>
        <translation>每个参数一份状态；每步的大小等于学习率。</translation>
    </message>
    <message>
        <source>Only what is not zero, and a bit a weight to say where; frozen. Saves memory now.</source>
        <translation>只存非零值，每个权重另加一位标明位置；冻结。现在就节省显存。</translation>
    </message>
    <message>
        <source>Opens again with everything intact.</source>
        <translation>重新打开后一切完好。</translation>
    </message>
    <message>
        <source>Operations</source>
        <translation>操作</translation>
    </message>
    <message>
        <source>Optim.</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>Optimizer</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>Optimizer lies in</source>
        <translation>优化器位于</translation>
    </message>
    <message>
        <source>Optimizer state</source>
        <translation>优化器状态</translation>
    </message>
    <message>
        <source>Optimizer step</source>
        <translation>优化器步</translation>
    </message>
    <message>
        <source>Optimizer steps from one choice to the next.</source>
        <translation>两次选择之间的优化器步数。</translation>
    </message>
    <message>
        <source>Other</source>
        <translation>其他</translation>
    </message>
    <message>
        <source>Other kernels, which wait for memory</source>
        <translation>其他受显存带宽限制的内核</translation>
    </message>
    <message>
        <source>Other processes</source>
        <translation>其他进程</translation>
    </message>
    <message>
        <source>Other programs</source>
        <translation>其他程序</translation>
    </message>
    <message>
        <source>Other ratios for some layers, as *.mlp.*=0.7; the last that fits a layer holds.</source>
        <translation>某些层的其他比例，如 *.mlp.*=0.7；以最后匹配的为准。</translation>
    </message>
    <message>
        <source>Outputs are kept</source>
        <translation>输出的保留</translation>
    </message>
    <message>
        <source>Overhead</source>
        <translation>开销</translation>
    </message>
    <message>
        <source>Overlap</source>
        <translation>重叠</translation>
    </message>
    <message>
        <source>PATTERN=BITS for some of them, such as mlp.down_proj=8 or model.layers.0.*=16; the last that matches counts. 16 leaves a layer as it is; 2 to 8 are the method&apos;s own bits, linear ones under NF4; nf4 is NF4.</source>
        <translation>其中某些层用 模式=位数，例如 mlp.down_proj=8 或 model.layers.0.*=16；以最后匹配的为准。16 表示该层保持原样；2 到 8 为该方法自身的位数，NF4 下为线性量化；nf4 即 NF4。</translation>
    </message>
    <message>
        <source>Packed</source>
        <translation>打包</translation>
    </message>
    <message>
        <source>Param.</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>Parameters in four bytes, products in bf16 (autocast).</source>
        <translation>参数四字节，乘积用 bf16（autocast）。</translation>
    </message>
    <message>
        <source>Parameters in two bytes, adapters in four, products in bf16: usual for QLoRA.</source>
        <translation>参数两字节，适配器四字节，乘积用 bf16：QLoRA 的常用做法。</translation>
    </message>
    <message>
        <source>Parameters lie in</source>
        <translation>参数位于</translation>
    </message>
    <message>
        <source>Parameters too: each block is gathered right before it is used, and freed after.</source>
        <translation>参数也分片：每个块在使用前才收集，用后释放。</translation>
    </message>
    <message>
        <source>Parameters, gradients and states in two bytes.</source>
        <translation>参数、梯度和状态都是两字节。</translation>
    </message>
    <message>
        <source>Parts of the positions; each part&apos;s logits are dropped before the next one&apos;s.</source>
        <translation>位置分成几段；每段的 logits 在下一段之前丢弃。</translation>
    </message>
    <message>
        <source>Peak</source>
        <translation>峰值</translation>
    </message>
    <message>
        <source>Per layer</source>
        <translation>按层</translation>
    </message>
    <message>
        <source>Persistence threshold</source>
        <translation>常驻阈值</translation>
    </message>
    <message>
        <source>Pinned memory</source>
        <translation>锁页内存</translation>
    </message>
    <message>
        <source>Pipeline parallel</source>
        <translation>流水线并行</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Plan as YAML</source>
        <translation>YAML 方案</translation>
    </message>
    <message>
        <source>Planned for</source>
        <translation>规划用途</translation>
    </message>
    <message>
        <source>Plans a model for use instead of training: the prompt has the length of the sequence, the batch is the micro-batch, and what only training needs is left out.</source>
        <translation>规划模型的使用而非训练：提示词长度即序列长度，批次即微批次，只有训练才需要的内容略去。</translation>
    </message>
    <message>
        <source>Policy</source>
        <translation>策略</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>精度</translation>
    </message>
    <message>
        <source>Predicted</source>
        <translation>预测</translation>
    </message>
    <message>
        <source>Prefetch</source>
        <translation>预取</translation>
    </message>
    <message>
        <source>Prefetch bucket</source>
        <translation>预取桶</translation>
    </message>
    <message>
        <source>Prefill</source>
        <translation>预填充</translation>
    </message>
    <message>
        <source>Products in</source>
        <translation>乘积精度</translation>
    </message>
    <message>
        <source>Products in bf16, whatever the layers around.</source>
        <translation>乘积用 bf16，不论周围的层。</translation>
    </message>
    <message>
        <source>Products in fp16, whatever the layers around.</source>
        <translation>乘积用 fp16，不论周围的层。</translation>
    </message>
    <message>
        <source>Products in fp32; the expanded weight takes four bytes a number.</source>
        <translation>乘积用 fp32；展开后的权重每个数四字节。</translation>
    </message>
    <message>
        <source>Projection</source>
        <translation>投影</translation>
    </message>
    <message>
        <source>Promises that every step uses the same parameters.</source>
        <translation>保证每一步都使用相同的参数。</translation>
    </message>
    <message>
        <source>Pruning</source>
        <translation>剪枝</translation>
    </message>
    <message>
        <source>PyTorch script</source>
        <translation>PyTorch 脚本</translation>
    </message>
    <message>
        <source>QLoRA of an 8B on 24 GB</source>
        <translation>24 GB 上的 8B QLoRA</translation>
    </message>
    <message>
        <source>QLoRA&apos;s 4 bits with double quantization. Saves memory now.</source>
        <translation>QLoRA 的 4 位加双重量化。现在就节省显存。</translation>
    </message>
    <message>
        <source>QLoRA&apos;s 4 bits, spaced for normally distributed weights. Saves memory now.</source>
        <translation>QLoRA 的 4 位，间隔适合正态分布的权重。现在就节省显存。</translation>
    </message>
    <message>
        <source>Quantization</source>
        <translation>量化</translation>
    </message>
    <message>
        <source>Quantization-aware training</source>
        <translation>量化感知训练</translation>
    </message>
    <message>
        <source>Quantized</source>
        <translation>量化</translation>
    </message>
    <message>
        <source>RMSprop</source>
        <translation>RMSprop</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>秩</translation>
    </message>
    <message>
        <source>Ratio</source>
        <translation>比例</translation>
    </message>
    <message>
        <source>Ratios by layer</source>
        <translation>各层比例</translation>
    </message>
    <message>
        <source>Recompute one block in n.</source>
        <translation>每 n 个块重计算一个。</translation>
    </message>
    <message>
        <source>Recompute the blocks or modules that names or patterns choose.</source>
        <translation>重计算由名称或模式选定的块或模块。</translation>
    </message>
    <message>
        <source>Recomputed in backward</source>
        <translation>反向中重计算</translation>
    </message>
    <message>
        <source>Reduce bucket</source>
        <translation>规约桶</translation>
    </message>
    <message>
        <source>Replicas</source>
        <translation>副本</translation>
    </message>
    <message>
        <source>Replicated (DDP)</source>
        <translation>复制（DDP）</translation>
    </message>
    <message>
        <source>Reuse distance</source>
        <translation>复用距离</translation>
    </message>
    <message>
        <source>Room for all tokens from the start; nothing is copied.</source>
        <translation>一开始就为所有 token 留出空间；不做复制。</translation>
    </message>
    <message>
        <source>Round inputs</source>
        <translation>舍入输入</translation>
    </message>
    <message>
        <source>SGD</source>
        <translation>SGD</translation>
    </message>
    <message>
        <source>SLURM batch file</source>
        <translation>SLURM 批处理文件</translation>
    </message>
    <message>
        <source>Sampled of the 50 likeliest</source>
        <translation>从概率最高的 50 个中采样</translation>
    </message>
    <message>
        <source>Samples in one forward and backward on one device.</source>
        <translation>一台设备上一次前向和反向的样本数。</translation>
    </message>
    <message>
        <source>Scale</source>
        <translation>缩放系数</translation>
    </message>
    <message>
        <source>Scale of the update; no effect on memory.</source>
        <translation>更新的缩放；不影响显存。</translation>
    </message>
    <message>
        <source>Scales</source>
        <translation>缩放因子</translation>
    </message>
    <message>
        <source>Schedule</source>
        <translation>调度</translation>
    </message>
    <message>
        <source>Scores</source>
        <translation>分数</translation>
    </message>
    <message>
        <source>Searched for</source>
        <translation>搜索而得</translation>
    </message>
    <message>
        <source>Sequence</source>
        <translation>序列</translation>
    </message>
    <message>
        <source>Sequence parallel</source>
        <translation>序列并行</translation>
    </message>
    <message>
        <source>Several stages a card: less idle time, more micro-batches in flight.</source>
        <translation>每张卡多个阶段：空闲更少，在途微批次更多。</translation>
    </message>
    <message>
        <source>Sigmoid</source>
        <translation>Sigmoid</translation>
    </message>
    <message>
        <source>Single weights</source>
        <translation>单个权重</translation>
    </message>
    <message>
        <source>Size of a weight</source>
        <translation>权重大小</translation>
    </message>
    <message>
        <source>Small enough for any machine; Apply runs three steps, and puts measured beside predicted.</source>
        <translation>小到任何机器都能运行；“试运行”运行三步，并把实测放在预测旁边。</translation>
    </message>
    <message>
        <source>Smaller matrices and fewer blocks. Saves memory now.</source>
        <translation>矩阵更小、块更少。现在就节省显存。</translation>
    </message>
    <message>
        <source>So many of the latest tokens are written before they are packed together.</source>
        <translation>最新的这么多 token 写满后才一起打包。</translation>
    </message>
    <message>
        <source>Softens both distributions: above 1, unlikely classes count more. Numerics only.</source>
        <translation>软化两个分布：大于 1 时，不太可能的类别权重更高。只影响数值。</translation>
    </message>
    <message>
        <source>Some copies of one token&apos;s logits more.</source>
        <translation>多几份单个 token 的 logits 副本。</translation>
    </message>
    <message>
        <source>SparseGPT</source>
        <translation>SparseGPT</translation>
    </message>
    <message>
        <source>Speech</source>
        <translation>语音</translation>
    </message>
    <message>
        <source>Splits model, data and state over several cards; the fullest one decides. What a card no longer holds it must be sent when it needs it, which takes time.</source>
        <translation>把模型、数据和状态切分到多张卡上；最满的一张决定结果。卡上不再持有的内容需要时必须传来，这要花时间。</translation>
    </message>
    <message>
        <source>Stages a card</source>
        <translation>每卡阶段数</translation>
    </message>
    <message>
        <source>Starting kernels</source>
        <translation>启动内核</translation>
    </message>
    <message>
        <source>States factored into rows and columns: almost none.</source>
        <translation>状态分解为行和列：几乎没有。</translation>
    </message>
    <message>
        <source>States in 8 bits, updates in backward, the loss in chunks; AdamW as it comes may need more.</source>
        <translation>状态用 8 位，更新在反向中进行，损失分块；普通的 AdamW 可能需要更多。</translation>
    </message>
    <message>
        <source>States in half a byte a number, in a compiled step. Saves memory now.</source>
        <translation>状态每个数半字节，步经过编译。现在就节省显存。</translation>
    </message>
    <message>
        <source>States in one byte a number, and a scale for 256. Saves memory now.</source>
        <translation>状态每个数一字节，每 256 个一个缩放。现在就节省显存。</translation>
    </message>
    <message>
        <source>States in one byte a number, in a compiled step. Saves memory now.</source>
        <translation>状态每个数一字节，步经过编译。现在就节省显存。</translation>
    </message>
    <message>
        <source>States lie and updates are made on the device.</source>
        <translation>状态放在设备上，更新也在设备上进行。</translation>
    </message>
    <message>
        <source>Static</source>
        <translation>静态</translation>
    </message>
    <message>
        <source>Static graph</source>
        <translation>静态图</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>步时</translation>
    </message>
    <message>
        <source>Steps from one singular value decomposition to the next.</source>
        <translation>两次奇异值分解之间的步数。</translation>
    </message>
    <message>
        <source>Student</source>
        <translation>学生</translation>
    </message>
    <message>
        <source>Symmetric</source>
        <translation>对称</translation>
    </message>
    <message>
        <source>TRL</source>
        <translation>TRL</translation>
    </message>
    <message>
        <source>Takes weights away before training. Narrower MLPs, fewer heads or blocks are smaller now; zeros in dense weights save nothing, and masks take more.</source>
        <translation>在训练之前去除权重。更窄的 MLP、更少的头或块现在就更小；稠密权重中的零不节省什么，掩码反而更占。</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>目标层</translation>
    </message>
    <message>
        <source>Taylor</source>
        <translation>泰勒</translation>
    </message>
    <message>
        <source>Teacher&apos;s logits</source>
        <translation>教师的 logits</translation>
    </message>
    <message>
        <source>Teacher&apos;s precision</source>
        <translation>教师的精度</translation>
    </message>
    <message>
        <source>Teacher&apos;s weights in</source>
        <translation>教师权重的位数</translation>
    </message>
    <message>
        <source>Teacher&apos;s weights lie in</source>
        <translation>教师权重位于</translation>
    </message>
    <message>
        <source>Temp.</source>
        <translation>临时</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Temporaries</source>
        <translation>临时张量</translation>
    </message>
    <message>
        <source>Tensor</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>Tensor parallel</source>
        <translation>张量并行</translation>
    </message>
    <message>
        <source>Texts that are followed for each prompt; each has a cache of its own.</source>
        <translation>每个提示词跟踪的文本数；各有自己的缓存。</translation>
    </message>
    <message>
        <source>The companding curve.</source>
        <translation>压扩曲线。</translation>
    </message>
    <message>
        <source>The deepest but the last</source>
        <translation>除最后一块外最深的</translation>
    </message>
    <message>
        <source>The head decides most; it stays as it is.</source>
        <translation>输出头影响最大；保持原样。</translation>
    </message>
    <message>
        <source>The head too.</source>
        <translation>也包括输出头。</translation>
    </message>
    <message>
        <source>The kernel decides whether the scores (batch × heads × sequence²) are kept for backward. A fused kernel keeps only one number a row and costs no more time.</source>
        <translation>内核决定分数（批次 × 头 × 序列²）是否为反向保留。融合内核每行只保留一个数，且不多花时间。</translation>
    </message>
    <message>
        <source>The last one only</source>
        <translation>仅最后一个</translation>
    </message>
    <message>
        <source>The likeliest</source>
        <translation>概率最高的</translation>
    </message>
    <message>
        <source>The limits are searched. Numerics only.</source>
        <translation>搜索界限。只影响数值。</translation>
    </message>
    <message>
        <source>The limits are the smallest and the largest weight.</source>
        <translation>界限是最小和最大的权重。</translation>
    </message>
    <message>
        <source>The logits of a language model take positions × vocabulary numbers, several times over. In chunks they never exist whole, at next to no cost in time.</source>
        <translation>语言模型的 logits 有 位置 × 词表 个数，且要好几份。分块计算时它们从不完整存在，几乎不多花时间。</translation>
    </message>
    <message>
        <source>The logits of all positions together.</source>
        <translation>所有位置的 logits 一起。</translation>
    </message>
    <message>
        <source>The model&apos;s Python code: keeps scores, often in fp32.</source>
        <translation>模型的 Python 代码：保留分数，往往是 fp32。</translation>
    </message>
    <message>
        <source>The model&apos;s own</source>
        <translation>模型自身的</translation>
    </message>
    <message>
        <source>The most balanced depth × width × heads whose weights fit a number of bytes.</source>
        <translation>权重能放进给定字节数的、最均衡的 深度 × 宽度 × 头数。</translation>
    </message>
    <message>
        <source>The number type of parameters, gradients, optimizer state and activations. Mixed keeps full-precision parameters and computes products in half.</source>
        <translation>参数、梯度、优化器状态和激活值的数值类型。混合精度保留全精度参数，用半精度计算乘积。</translation>
    </message>
    <message>
        <source>The opened model itself is trained.</source>
        <translation>训练打开的模型本身。</translation>
    </message>
    <message>
        <source>The opened model with fewer blocks, narrower or with fewer heads; it keeps the weights that fit.</source>
        <translation>打开的模型，但块更少、更窄或头更少；保留放得下的权重。</translation>
    </message>
    <message>
        <source>The optimizer step after which they stay as they are.</source>
        <translation>过了这一优化器步之后它们保持不变。</translation>
    </message>
    <message>
        <source>The optimizer step after which zeros are chosen first.</source>
        <translation>过了这一优化器步之后首次选择零值。</translation>
    </message>
    <message>
        <source>The order of a stage&apos;s micro-batches.</source>
        <translation>一个阶段的微批次顺序。</translation>
    </message>
    <message>
        <source>The other model</source>
        <translation>另一个模型</translation>
    </message>
    <message>
        <source>The repeated blocks are compiled, one graph for alike ones.</source>
        <translation>编译重复的块，相同的块共用一个计算图。</translation>
    </message>
    <message>
        <source>The same graphs, operation by operation: no compiler is needed, and no time is saved.</source>
        <translation>同样的计算图，逐个操作执行：不需要编译器，也不节省时间。</translation>
    </message>
    <message>
        <source>The same share of every layer.</source>
        <translation>每层相同的份额。</translation>
    </message>
    <message>
        <source>The share of attention heads that go, each key and value head with its queries.</source>
        <translation>去除的注意力头所占份额，每个键值头连同其查询头。</translation>
    </message>
    <message>
        <source>The share of blocks that go.</source>
        <translation>去除的块所占份额。</translation>
    </message>
    <message>
        <source>The share of blocks that go; those that stay are spread evenly, first and last included.</source>
        <translation>去除的块所占份额；留下的均匀分布，包括首尾。</translation>
    </message>
    <message>
        <source>The share of channels between two convolutions that go, where nothing else takes them.</source>
        <translation>两个卷积之间去除的通道所占份额，前提是没有别处使用它们。</translation>
    </message>
    <message>
        <source>The share of every MLP&apos;s inner width that goes.</source>
        <translation>每个 MLP 内部宽度去除的份额。</translation>
    </message>
    <message>
        <source>The share of every MLP&apos;s inner width that goes; the largest weights stay.</source>
        <translation>每个 MLP 内部宽度去除的份额；保留最大的权重。</translation>
    </message>
    <message>
        <source>The share of the width between blocks that goes; where a class knows no size of heads, heads go with it.</source>
        <translation>块间宽度去除的份额；若类不知道头的大小，头也随之减少。</translation>
    </message>
    <message>
        <source>The share of weights that become zero.</source>
        <translation>变为零的权重所占份额。</translation>
    </message>
    <message>
        <source>The size of a weight × the norm of its input.</source>
        <translation>权重大小 × 其输入的范数。</translation>
    </message>
    <message>
        <source>The size of a weight; needs no data.</source>
        <translation>权重大小；不需要数据。</translation>
    </message>
    <message>
        <source>The teacher runs before the student, in every step.</source>
        <translation>每一步中教师先于学生运行。</translation>
    </message>
    <message>
        <source>The teacher&apos;s weights stay on the device.</source>
        <translation>教师的权重留在设备上。</translation>
    </message>
    <message>
        <source>The threshold is a weight&apos;s size.</source>
        <translation>阈值是权重的大小。</translation>
    </message>
    <message>
        <source>The type of the layer&apos;s input, or autocast&apos;s.</source>
        <translation>该层输入的类型，或 autocast 的类型。</translation>
    </message>
    <message>
        <source>The type of the teacher&apos;s weights.</source>
        <translation>教师权重的类型。</translation>
    </message>
    <message>
        <source>The type that a weight is expanded to.</source>
        <translation>权重展开成的类型。</translation>
    </message>
    <message>
        <source>The type that the student&apos;s parameters have.</source>
        <translation>学生参数的类型。</translation>
    </message>
    <message>
        <source>The update rule.</source>
        <translation>更新规则。</translation>
    </message>
    <message>
        <source>The whole share from the first step named, chosen again.</source>
        <translation>从所指定的第一步起去除全部份额，并重新选择。</translation>
    </message>
    <message>
        <source>The µ of the law, or the steepness of the sigmoid: 2 suits normally distributed weights. Numerics only.</source>
        <translation>该律的 µ，或 sigmoid 的陡度：2 适合正态分布的权重。只影响数值。</translation>
    </message>
    <message>
        <source>They come with the batch, and the teacher is not on the device. Saves memory now.</source>
        <translation>它们随批次而来，教师不在设备上。现在就节省显存。</translation>
    </message>
    <message>
        <source>Those that change least</source>
        <translation>变化最小的</translation>
    </message>
    <message>
        <source>Those that the names or patterns choose.</source>
        <translation>由名称或模式选定的。</translation>
    </message>
    <message>
        <source>Those whose results are kept: mm, bmm, addmm, baddbmm, convolution, attention, layer_norm, rms_norm, group_norm, batch_norm, softmax, gelu, silu, relu, sigmoid, tanh, dropout, mul, add, every_second_mm.</source>
        <translation>保留其结果的操作：mm, bmm, addmm, baddbmm, convolution, attention, layer_norm, rms_norm, group_norm, batch_norm, softmax, gelu, silu, relu, sigmoid, tanh, dropout, mul, add, every_second_mm。</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>Threshold is in</source>
        <translation>阈值单位</translation>
    </message>
    <message>
        <source>Times the standard deviation of the layer.</source>
        <translation>乘以该层的标准差。</translation>
    </message>
    <message>
        <source>Tokens in one sample; ignored by models that take no sequence.</source>
        <translation>一个样本中的 token 数；不接受序列的模型忽略它。</translation>
    </message>
    <message>
        <source>Tokens written for each prompt; generation does not end before.</source>
        <translation>为每个提示词写出的 token 数；生成不会提前结束。</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>训练</translation>
    </message>
    <message>
        <source>TrainingArguments as YAML, for a script that uses the Trainer.</source>
        <translation>YAML 格式的 TrainingArguments，用于使用 Trainer 的脚本。</translation>
    </message>
    <message>
        <source>Trains a smaller student on what the opened model, its frozen teacher, makes of the same data. Every other section is about the student.</source>
        <translation>用打开的模型（冻结的教师）对同样数据的输出来训练较小的学生。其他各部分都针对学生。</translation>
    </message>
    <message>
        <source>Trains whole weights and computes with them rounded, so that the model loses less when it is quantized afterwards. Takes more memory now.</source>
        <translation>训练完整的权重，但用舍入后的权重计算，使模型之后量化时损失更小。现在占用更多显存。</translation>
    </message>
    <message>
        <source>Trains whole weights with products of 8-bit floating numbers: faster on cards of compute capability 8.9 and newer. Saves no memory.</source>
        <translation>训练完整的权重，用 8 位浮点数计算乘积：在计算能力 8.9 及更新的卡上更快。不节省显存。</translation>
    </message>
    <message>
        <source>Transformers Trainer</source>
        <translation>Transformers Trainer</translation>
    </message>
    <message>
        <source>Two bytes a weight.</source>
        <translation>每个权重两字节。</translation>
    </message>
    <message>
        <source>Two bytes a weight. Saves memory beside a student in fp32.</source>
        <translation>每个权重两字节。学生为 fp32 时可节省显存。</translation>
    </message>
    <message>
        <source>Two bytes everywhere; overflows easily when training.</source>
        <translation>全部两字节；训练时容易溢出。</translation>
    </message>
    <message>
        <source>Two low-rank matrices a target; the rest is frozen.</source>
        <translation>每个目标层两个低秩矩阵；其余冻结。</translation>
    </message>
    <message>
        <source>Two states a parameter, decoupled weight decay.</source>
        <translation>每个参数两份状态，解耦的权重衰减。</translation>
    </message>
    <message>
        <source>Two states a parameter.</source>
        <translation>每个参数两份状态。</translation>
    </message>
    <message>
        <source>Unfused</source>
        <translation>不融合</translation>
    </message>
    <message>
        <source>Update</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>Update group</source>
        <translation>更新分组</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>用途</translation>
    </message>
    <message>
        <source>Used by apply and by exports; no effect on memory.</source>
        <translation>供试运行和导出使用；不影响显存。</translation>
    </message>
    <message>
        <source>Vision</source>
        <translation>视觉</translation>
    </message>
    <message>
        <source>Waiting for other cards</source>
        <translation>等待其他卡</translation>
    </message>
    <message>
        <source>Wanda</source>
        <translation>Wanda</translation>
    </message>
    <message>
        <source>Weight decay</source>
        <translation>权重衰减</translation>
    </message>
    <message>
        <source>Weight of attention</source>
        <translation>注意力的权重</translation>
    </message>
    <message>
        <source>Weight of hidden states</source>
        <translation>隐藏状态的权重</translation>
    </message>
    <message>
        <source>Weight of the labels</source>
        <translation>标签的权重</translation>
    </message>
    <message>
        <source>Weight of the logits</source>
        <translation>logits 的权重</translation>
    </message>
    <message>
        <source>Weights below it become zero.</source>
        <translation>低于它的权重变为零。</translation>
    </message>
    <message>
        <source>Weights in 4 bits, LoRA beside them, every block recomputed; more than half of the card is left.</source>
        <translation>权重 4 位，旁边加 LoRA，每个块都重计算；这张卡还剩一半以上。</translation>
    </message>
    <message>
        <source>Weights in a group, counted over the flattened matrix.</source>
        <translation>一组中的权重数，按展平的矩阵计数。</translation>
    </message>
    <message>
        <source>Weights in int8, inputs too as they come, products of integers. For use, not for training. Saves memory now.</source>
        <translation>权重用 int8，输入到来时也转为 int8，做整数乘积。用于推理，不用于训练。现在就节省显存。</translation>
    </message>
    <message>
        <source>Weights of a row that are compared.</source>
        <translation>一行中相互比较的权重数。</translation>
    </message>
    <message>
        <source>Weights that stay of each M.</source>
        <translation>每 M 个中留下的权重数。</translation>
    </message>
    <message>
        <source>Weight² × mean gradient²: the same, by the Hessian&apos;s diagonal.</source>
        <translation>权重² × 平均梯度²：同样，但按 Hessian 的对角线。</translation>
    </message>
    <message>
        <source>What</source>
        <translation>对象</translation>
    </message>
    <message>
        <source>What cards with other samples hold of the model.</source>
        <translation>处理其他样本的卡持有模型的哪些部分。</translation>
    </message>
    <message>
        <source>What decides how many weights go.</source>
        <translation>由什么决定去除多少权重。</translation>
    </message>
    <message>
        <source>What forward keeps for backward stays on the device.</source>
        <translation>前向为反向保留的内容留在设备上。</translation>
    </message>
    <message>
        <source>What is compiled.</source>
        <translation>编译什么。</translation>
    </message>
    <message>
        <source>What is recomputed.</source>
        <translation>重计算什么。</translation>
    </message>
    <message>
        <source>What is small</source>
        <translation>什么算小</translation>
    </message>
    <message>
        <source>What is taken away together.</source>
        <translation>一起去除的单位。</translation>
    </message>
    <message>
        <source>What projected updates are multiplied with; no effect on memory.</source>
        <translation>投影后的更新所乘的系数；不影响显存。</translation>
    </message>
    <message>
        <source>What runs the graphs.</source>
        <translation>由什么运行计算图。</translation>
    </message>
    <message>
        <source>What the model does.</source>
        <translation>模型做什么。</translation>
    </message>
    <message>
        <source>What the student&apos;s weights may take in the plan&apos;s precision.</source>
        <translation>在方案的精度下，学生的权重可占用多少。</translation>
    </message>
    <message>
        <source>What the threshold is a number of.</source>
        <translation>阈值是以什么为单位的数。</translation>
    </message>
    <message>
        <source>What these keep alone, by names such as model.layers.3 or patterns such as model.layers.1?; empty for the whole forward.</source>
        <translation>只卸载这些模块保留的内容，用名称如 model.layers.3 或模式如 model.layers.1?；留空则为整个前向。</translation>
    </message>
    <message>
        <source>What updates the parameters, and what it keeps for each of them between steps. AdamW keeps twice the parameters&apos; size; SGD and Adafactor keep little or nothing.</source>
        <translation>由什么更新参数，以及各步之间为每个参数保留什么。AdamW 保留参数两倍大小；SGD 和 Adafactor 保留很少或不保留。</translation>
    </message>
    <message>
        <source>When</source>
        <translation>时机</translation>
    </message>
    <message>
        <source>When a parameter is updated.</source>
        <translation>何时更新参数。</translation>
    </message>
    <message>
        <source>When the cards&apos; gradients are brought together.</source>
        <translation>何时把各卡的梯度汇总。</translation>
    </message>
    <message>
        <source>When they are computed.</source>
        <translation>何时计算它们。</translation>
    </message>
    <message>
        <source>When zeros are chosen.</source>
        <translation>何时选择零值。</translation>
    </message>
    <message>
        <source>Where DeepSpeed keeps full-precision weights and states, and makes the update.</source>
        <translation>DeepSpeed 把全精度权重和状态放在哪里，并在那里更新。</translation>
    </message>
    <message>
        <source>Where gradients and states lie, and the update is made.</source>
        <translation>梯度和状态放在哪里，更新也在那里进行。</translation>
    </message>
    <message>
        <source>Where kept activations lie until backward.</source>
        <translation>保留的激活值在反向之前放在哪里。</translation>
    </message>
    <message>
        <source>Where scores are compared.</source>
        <translation>在什么范围内比较分数。</translation>
    </message>
    <message>
        <source>Where the loop sets the gradients to None.</source>
        <translation>循环在何处把梯度设为 None。</translation>
    </message>
    <message>
        <source>Where the outermost levels lie.</source>
        <translation>最外层级别的位置。</translation>
    </message>
    <message>
        <source>Where the repeated blocks&apos; parameters lie while none is needed.</source>
        <translation>重复块的参数在不需要时放在哪里。</translation>
    </message>
    <message>
        <source>Where the student comes from.</source>
        <translation>学生从哪里来。</translation>
    </message>
    <message>
        <source>Where they are kept.</source>
        <translation>它们放在哪里。</translation>
    </message>
    <message>
        <source>Which adapters, if any.</source>
        <translation>使用哪种适配器（如有）。</translation>
    </message>
    <message>
        <source>Which blocks</source>
        <translation>哪些块</translation>
    </message>
    <message>
        <source>Which blocks go.</source>
        <translation>去除哪些块。</translation>
    </message>
    <message>
        <source>Which kernel computes attention.</source>
        <translation>用哪个内核计算注意力。</translation>
    </message>
    <message>
        <source>Which layers get zeros.</source>
        <translation>哪些层得到零值。</translation>
    </message>
    <message>
        <source>Which layers.</source>
        <translation>哪些层。</translation>
    </message>
    <message>
        <source>Which weights matter least. Numerics only.</source>
        <translation>哪些权重最不重要。只影响数值。</translation>
    </message>
    <message>
        <source>Which weights share a scale.</source>
        <translation>哪些权重共用一个缩放。</translation>
    </message>
    <message>
        <source>Whole</source>
        <translation>整体</translation>
    </message>
    <message>
        <source>Whole tokens</source>
        <translation>完整保留的 token</translation>
    </message>
    <message>
        <source>Whose code splits the model over data cards.</source>
        <translation>由谁的代码把模型切分到数据并行的卡上。</translation>
    </message>
    <message>
        <source>Why a 1B does not fit 16 GB</source>
        <translation>为什么 16 GB 放不下 1B</translation>
    </message>
    <message>
        <source>Width is a multiple of</source>
        <translation>宽度的倍数</translation>
    </message>
    <message>
        <source>Width of the low-rank matrices.</source>
        <translation>低秩矩阵的宽度。</translation>
    </message>
    <message>
        <source>Widths are rounded to it; products in half precision want 8, tensor cores like 64.</source>
        <translation>宽度按它取整；半精度乘积适合 8，张量核心适合 64。</translation>
    </message>
    <message>
        <source>Widths, heads, blocks</source>
        <translation>宽度、头、块</translation>
    </message>
    <message>
        <source>Windows only</source>
        <translation>仅窗口</translation>
    </message>
    <message>
        <source>With gradient and AdamW’s states a parameter takes 16 bytes: that alone is more than the card.</source>
        <translation>加上梯度和 AdamW 的状态，一个参数占 16 字节：仅此就超过了这张卡。</translation>
    </message>
    <message>
        <source>Within a budget</source>
        <translation>在预算内</translation>
    </message>
    <message>
        <source>Without gradients: to classify, to embed, to score.</source>
        <translation>不含梯度：用于分类、嵌入、打分。</translation>
    </message>
    <message>
        <source>Workspaces</source>
        <translation>工作区</translation>
    </message>
    <message>
        <source>Written into the dense weight, and trained on like any number. Numerics only.</source>
        <translation>写入稠密权重，并像其他数一样继续训练。只影响数值。</translation>
    </message>
    <message>
        <source>ZeRO with DeepSpeed&apos;s buffers; planned and exported.</source>
        <translation>ZeRO，含 DeepSpeed 的缓冲区；可规划并导出。</translation>
    </message>
    <message>
        <source>ZeRO-1</source>
        <translation>ZeRO-1</translation>
    </message>
    <message>
        <source>ZeRO-2</source>
        <translation>ZeRO-2</translation>
    </message>
    <message>
        <source>ZeRO-3 (FSDP)</source>
        <translation>ZeRO-3 (FSDP)</translation>
    </message>
    <message>
        <source>ZeRO-3: elements of a card&apos;s share that are updated together.</source>
        <translation>ZeRO-3：一起更新的、卡上份额的元素数。</translation>
    </message>
    <message>
        <source>ZeRO-3: elements of parameters that are gathered ahead of need.</source>
        <translation>ZeRO-3：提前收集的参数元素数。</translation>
    </message>
    <message>
        <source>ZeRO-3: nothing is gathered ahead beyond so many gathered elements.</source>
        <translation>ZeRO-3：已收集元素超过此数时不再提前收集。</translation>
    </message>
    <message>
        <source>ZeRO-3: parameters needed again within so many elements stay gathered.</source>
        <translation>ZeRO-3：在此元素数之内会再次用到的参数保持已收集状态。</translation>
    </message>
    <message>
        <source>ZeRO-3: parameters of at most so many elements stay whole on every card.</source>
        <translation>ZeRO-3：不超过此元素数的参数在每张卡上保持完整。</translation>
    </message>
    <message>
        <source>ZeRO-3: where a card&apos;s share of the parameters is.</source>
        <translation>ZeRO-3：卡上参数份额所在的位置。</translation>
    </message>
    <message>
        <source>ZeRO-{} × {}</source>
        <translation>ZeRO-{} × {}</translation>
    </message>
    <message>
        <source>Zero bubble</source>
        <translation>零气泡</translation>
    </message>
    <message>
        <source>Zeros</source>
        <translation>零值</translation>
    </message>
    <message>
        <source>Zeros stay zero while training; a mask and a product as large as the weight beside it. Takes more memory.</source>
        <translation>训练时零保持为零；旁边有与权重一样大的掩码和乘积。占用更多显存。</translation>
    </message>
    <message>
        <source>Zeros wherever the scores are lowest.</source>
        <translation>分数最低处皆为零。</translation>
    </message>
    <message>
        <source>activation checkpointing</source>
        <translation>激活重计算（检查点）</translation>
    </message>
    <message>
        <source>activation offload</source>
        <translation>激活卸载</translation>
    </message>
    <message>
        <source>activation_checkpointing</source>
        <translation>激活重计算（检查点）</translation>
    </message>
    <message>
        <source>activation_offload</source>
        <translation>激活卸载</translation>
    </message>
    <message>
        <source>activations of {} of {} blocks on host</source>
        <translation>{} / {} 个块的激活值在主机上</translation>
    </message>
    <message>
        <source>activations on card</source>
        <translation>激活值在卡上</translation>
    </message>
    <message>
        <source>activations on host</source>
        <translation>激活值在主机上</translation>
    </message>
    <message>
        <source>adafactor</source>
        <translation>adafactor</translation>
    </message>
    <message>
        <source>adagrad</source>
        <translation>adagrad</translation>
    </message>
    <message>
        <source>adam</source>
        <translation>adam</translation>
    </message>
    <message>
        <source>adamw</source>
        <translation>adamw</translation>
    </message>
    <message>
        <source>adapters</source>
        <translation>适配器</translation>
    </message>
    <message>
        <source>allgather bucket size</source>
        <translation>收集桶</translation>
    </message>
    <message>
        <source>allocations and frees from the start of a step, counted: its time is not known</source>
        <translation>从步开始计数的分配与释放：其时间未知</translation>
    </message>
    <message>
        <source>alpha</source>
        <translation>Alpha</translation>
    </message>
    <message>
        <source>another model</source>
        <translation>另一个模型</translation>
    </message>
    <message>
        <source>attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>attention weight</source>
        <translation>注意力的权重</translation>
    </message>
    <message>
        <source>auto</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>backend</source>
        <translation>后端</translation>
    </message>
    <message>
        <source>batch size</source>
        <translation>微批次</translation>
    </message>
    <message>
        <source>beams</source>
        <translation>束</translation>
    </message>
    <message>
        <source>below {} σ as masks</source>
        <translation>低于 {} σ，掩码</translation>
    </message>
    <message>
        <source>bf16</source>
        <translation>bf16</translation>
    </message>
    <message>
        <source>bf16 mixed</source>
        <translation>bf16 混合精度</translation>
    </message>
    <message>
        <source>bf16, autocast</source>
        <translation>bf16，autocast</translation>
    </message>
    <message>
        <source>bf{} mixed</source>
        <translation>bf{} 混合精度</translation>
    </message>
    <message>
        <source>bits</source>
        <translation>位数</translation>
    </message>
    <message>
        <source>bitsandbytes paged {}bit</source>
        <translation>bitsandbytes 分页 {} 位</translation>
    </message>
    <message>
        <source>bitsandbytes {}bit</source>
        <translation>bitsandbytes {} 位</translation>
    </message>
    <message>
        <source>block choice</source>
        <translation>哪些块</translation>
    </message>
    <message>
        <source>block ratio</source>
        <translation>减少块</translation>
    </message>
    <message>
        <source>blocks</source>
        <translation>块</translation>
    </message>
    <message>
        <source>blocks {}%</source>
        <translation>块 {}%</translation>
    </message>
    <message>
        <source>blocks −{}%</source>
        <translation>块 −{}%</translation>
    </message>
    <message>
        <source>bucket mib</source>
        <translation>桶</translation>
    </message>
    <message>
        <source>bucket view</source>
        <translation>梯度放在桶中</translation>
    </message>
    <message>
        <source>budget mib</source>
        <translation>预算</translation>
    </message>
    <message>
        <source>budget {}</source>
        <translation>预算 {}</translation>
    </message>
    <message>
        <source>cache</source>
        <translation>KV 缓存</translation>
    </message>
    <message>
        <source>cache bits</source>
        <translation>缓存位数</translation>
    </message>
    <message>
        <source>cache group</source>
        <translation>缓存分组</translation>
    </message>
    <message>
        <source>cache residual</source>
        <translation>完整保留的 token</translation>
    </message>
    <message>
        <source>calibration batches</source>
        <translation>用于打分的批次</translation>
    </message>
    <message>
        <source>card link</source>
        <translation>节点内链路</translation>
    </message>
    <message>
        <source>cards per node</source>
        <translation>每节点卡数</translation>
    </message>
    <message>
        <source>channel ratio</source>
        <translation>通道</translation>
    </message>
    <message>
        <source>channels {}%</source>
        <translation>通道 {}%</translation>
    </message>
    <message>
        <source>choosing</source>
        <translation>下一个 token</translation>
    </message>
    <message>
        <source>chunks</source>
        <translation>分块数</translation>
    </message>
    <message>
        <source>clipping</source>
        <translation>裁剪</translation>
    </message>
    <message>
        <source>companding</source>
        <translation>压扩</translation>
    </message>
    <message>
        <source>compilation</source>
        <translation>编译</translation>
    </message>
    <message>
        <source>compute type</source>
        <translation>乘积精度</translation>
    </message>
    <message>
        <source>constant</source>
        <translation>恒定</translation>
    </message>
    <message>
        <source>context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>context rotation</source>
        <translation>键和值的传递方式</translation>
    </message>
    <message>
        <source>context {}</source>
        <translation>上下文 {}</translation>
    </message>
    <message>
        <source>contiguous gradients</source>
        <translation>连续梯度</translation>
    </message>
    <message>
        <source>cuDNN</source>
        <translation>cuDNN</translation>
    </message>
    <message>
        <source>cudnn</source>
        <translation>cudnn</translation>
    </message>
    <message>
        <source>curvature</source>
        <translation>曲率</translation>
    </message>
    <message>
        <source>curve</source>
        <translation>曲线</translation>
    </message>
    <message>
        <source>data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>distillation</source>
        <translation>蒸馏</translation>
    </message>
    <message>
        <source>double quantization</source>
        <translation>双重量化</translation>
    </message>
    <message>
        <source>dropout</source>
        <translation>dropout</translation>
    </message>
    <message>
        <source>dynamic int{}</source>
        <translation>动态 int{}</translation>
    </message>
    <message>
        <source>each phase has the same width in every plan, and what the device holds beside is added</source>
        <translation>各阶段在每个方案中宽度相同，并加上设备上的其他占用</translation>
    </message>
    <message>
        <source>eager</source>
        <translation>eager</translation>
    </message>
    <message>
        <source>efficient</source>
        <translation>efficient</translation>
    </message>
    <message>
        <source>engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>every</source>
        <translation>间隔</translation>
    </message>
    <message>
        <source>every block</source>
        <translation>每个块</translation>
    </message>
    <message>
        <source>every {}nd</source>
        <translation>每第 {} 个</translation>
    </message>
    <message>
        <source>expert</source>
        <translation>专家并行</translation>
    </message>
    <message>
        <source>expert {}</source>
        <translation>专家 {}</translation>
    </message>
    <message>
        <source>exponent</source>
        <translation>指数</translation>
    </message>
    <message>
        <source>first step</source>
        <translation>第一步</translation>
    </message>
    <message>
        <source>flash</source>
        <translation>flash</translation>
    </message>
    <message>
        <source>for loop</source>
        <translation>逐个循环</translation>
    </message>
    <message>
        <source>foreach</source>
        <translation>foreach</translation>
    </message>
    <message>
        <source>fp16</source>
        <translation>fp16</translation>
    </message>
    <message>
        <source>fp16 mixed</source>
        <translation>fp16 混合精度</translation>
    </message>
    <message>
        <source>fp32</source>
        <translation>fp32</translation>
    </message>
    <message>
        <source>fp8 products</source>
        <translation>fp8 乘积</translation>
    </message>
    <message>
        <source>fp{} products</source>
        <translation>fp{} 乘积</translation>
    </message>
    <message>
        <source>fused</source>
        <translation>融合</translation>
    </message>
    <message>
        <source>gradient accumulation steps</source>
        <translation>梯度累积</translation>
    </message>
    <message>
        <source>granularity</source>
        <translation>缩放因子</translation>
    </message>
    <message>
        <source>group size</source>
        <translation>分组</translation>
    </message>
    <message>
        <source>growing cache</source>
        <translation>增长式缓存</translation>
    </message>
    <message>
        <source>head ratio</source>
        <translation>减少头</translation>
    </message>
    <message>
        <source>heads {}%</source>
        <translation>头 {}%</translation>
    </message>
    <message>
        <source>heads −{}%</source>
        <translation>头 −{}%</translation>
    </message>
    <message>
        <source>held back by torch’s allocator</source>
        <translation>由 torch 的分配器留存</translation>
    </message>
    <message>
        <source>hidden ratio</source>
        <translation>更窄的隐藏状态</translation>
    </message>
    <message>
        <source>hidden weight</source>
        <translation>隐藏状态的权重</translation>
    </message>
    <message>
        <source>hidden −{}%</source>
        <translation>隐藏 −{}%</translation>
    </message>
    <message>
        <source>host</source>
        <translation>主机</translation>
    </message>
    <message>
        <source>implementation</source>
        <translation>实现</translation>
    </message>
    <message>
        <source>in backward</source>
        <translation>反向中更新</translation>
    </message>
    <message>
        <source>inference</source>
        <translation>用途</translation>
    </message>
    <message>
        <source>keep </source>
        <translation>保留 </translation>
    </message>
    <message>
        <source>keep everything</source>
        <translation>全部保留</translation>
    </message>
    <message>
        <source>keep operations</source>
        <translation>保留操作</translation>
    </message>
    <message>
        <source>keep products</source>
        <translation>保留乘积</translation>
    </message>
    <message>
        <source>keep {} MiB</source>
        <translation>保留 {} MiB</translation>
    </message>
    <message>
        <source>keep {}products</source>
        <translation>保留 {} 个乘积</translation>
    </message>
    <message>
        <source>kept as</source>
        <translation>保存为</translation>
    </message>
    <message>
        <source>kernel</source>
        <translation>内核</translation>
    </message>
    <message>
        <source>label weight</source>
        <translation>标签的权重</translation>
    </message>
    <message>
        <source>last step</source>
        <translation>最后一步</translation>
    </message>
    <message>
        <source>layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>learning rate</source>
        <translation>学习率</translation>
    </message>
    <message>
        <source>linear</source>
        <translation>线性</translation>
    </message>
    <message>
        <source>lion</source>
        <translation>lion</translation>
    </message>
    <message>
        <source>logits weight</source>
        <translation>logits 的权重</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>loss in {} chunks</source>
        <translation>损失分 {} 块</translation>
    </message>
    <message>
        <source>loss parallel</source>
        <translation>损失并行</translation>
    </message>
    <message>
        <source>loss whole</source>
        <translation>损失整体计算</translation>
    </message>
    <message>
        <source>math</source>
        <translation>math</translation>
    </message>
    <message>
        <source>max live parameters</source>
        <translation>存活参数上限</translation>
    </message>
    <message>
        <source>max reuse distance</source>
        <translation>复用距离</translation>
    </message>
    <message>
        <source>memory budget</source>
        <translation>显存预算</translation>
    </message>
    <message>
        <source>method</source>
        <translation>方法</translation>
    </message>
    <message>
        <source>micro-batch {}</source>
        <translation>微批次 {}</translation>
    </message>
    <message>
        <source>mlp ratio</source>
        <translation>更窄的 MLP</translation>
    </message>
    <message>
        <source>mode</source>
        <translation>编译</translation>
    </message>
    <message>
        <source>modules</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>momentum</source>
        <translation>动量</translation>
    </message>
    <message>
        <source>name</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>new tokens</source>
        <translation>新 token 数</translation>
    </message>
    <message>
        <source>no accumulation</source>
        <translation>无累积</translation>
    </message>
    <message>
        <source>no cache</source>
        <translation>无缓存</translation>
    </message>
    <message>
        <source>no program gets it</source>
        <translation>任何程序都得不到</translation>
    </message>
    <message>
        <source>node link</source>
        <translation>节点间链路</translation>
    </message>
    <message>
        <source>nodes</source>
        <translation>节点</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>nothing named</source>
        <translation>未指定</translation>
    </message>
    <message>
        <source>now on the device</source>
        <translation>当前在设备上</translation>
    </message>
    <message>
        <source>off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>offload</source>
        <translation>卸载到主机</translation>
    </message>
    <message>
        <source>offload optimizer</source>
        <translation>优化器位于</translation>
    </message>
    <message>
        <source>offload parameters</source>
        <translation>参数位于</translation>
    </message>
    <message>
        <source>on</source>
        <translation>开</translation>
    </message>
    <message>
        <source>one block in {}</source>
        <translation>每 {} 个块重计算一个</translation>
    </message>
    <message>
        <source>one forward</source>
        <translation>一次前向</translation>
    </message>
    <message>
        <source>operations</source>
        <translation>操作</translation>
    </message>
    <message>
        <source>optimizer</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>optimizer on card</source>
        <translation>优化器在卡上</translation>
    </message>
    <message>
        <source>optimizer on host</source>
        <translation>优化器在主机上</translation>
    </message>
    <message>
        <source>outputs</source>
        <translation>输出的保留</translation>
    </message>
    <message>
        <source>overlap comm</source>
        <translation>重叠</translation>
    </message>
    <message>
        <source>paged {}-bit AdamW</source>
        <translation>分页 {} 位 AdamW</translation>
    </message>
    <message>
        <source>param persistence threshold</source>
        <translation>常驻阈值</translation>
    </message>
    <message>
        <source>parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>per layer</source>
        <translation>各层比例</translation>
    </message>
    <message>
        <source>pin memory</source>
        <translation>锁页内存</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>锁页</translation>
    </message>
    <message>
        <source>pipeline</source>
        <translation>流水线</translation>
    </message>
    <message>
        <source>pipeline {}</source>
        <translation>流水线 {}</translation>
    </message>
    <message>
        <source>policy</source>
        <translation>策略</translation>
    </message>
    <message>
        <source>polynomial</source>
        <translation>多项式</translation>
    </message>
    <message>
        <source>precision</source>
        <translation>精度</translation>
    </message>
    <message>
        <source>prefetch</source>
        <translation>预取</translation>
    </message>
    <message>
        <source>prefetch bucket size</source>
        <translation>预取桶</translation>
    </message>
    <message>
        <source>preset:NAME, a folder, a file or a hub id, as for opening a model.</source>
        <translation>preset:NAME、文件夹、文件或 hub id，与打开模型时相同。</translation>
    </message>
    <message>
        <source>projection</source>
        <translation>投影</translation>
    </message>
    <message>
        <source>pruning</source>
        <translation>剪枝</translation>
    </message>
    <message>
        <source>quantization</source>
        <translation>量化</translation>
    </message>
    <message>
        <source>quantized cache</source>
        <translation>量化缓存</translation>
    </message>
    <message>
        <source>rank</source>
        <translation>秩</translation>
    </message>
    <message>
        <source>rank {}</source>
        <translation>秩 {}</translation>
    </message>
    <message>
        <source>ratio</source>
        <translation>比例</translation>
    </message>
    <message>
        <source>recompute all but {} GiB</source>
        <translation>重计算，保留 {} GiB</translation>
    </message>
    <message>
        <source>recompute all but {} MiB</source>
        <translation>重计算，保留 {} MiB</translation>
    </message>
    <message>
        <source>recompute every block</source>
        <translation>每个块都重计算</translation>
    </message>
    <message>
        <source>recompute every {}nd block</source>
        <translation>每第 {} 个块重计算</translation>
    </message>
    <message>
        <source>recompute {} of {} blocks</source>
        <translation>重计算 {} / {} 个块</translation>
    </message>
    <message>
        <source>recorded on meta tensors</source>
        <translation>在 meta 张量上记录</translation>
    </message>
    <message>
        <source>reduce bucket size</source>
        <translation>规约桶</translation>
    </message>
    <message>
        <source>reduction</source>
        <translation>规约梯度</translation>
    </message>
    <message>
        <source>replicas</source>
        <translation>副本</translation>
    </message>
    <message>
        <source>rmsprop</source>
        <translation>rmsprop</translation>
    </message>
    <message>
        <source>round inputs</source>
        <translation>舍入输入</translation>
    </message>
    <message>
        <source>rounded to {} bits</source>
        <translation>舍入到 {} 位</translation>
    </message>
    <message>
        <source>same</source>
        <translation>相同</translation>
    </message>
    <message>
        <source>scale</source>
        <translation>缩放系数</translation>
    </message>
    <message>
        <source>schedule</source>
        <translation>时机</translation>
    </message>
    <message>
        <source>scope</source>
        <translation>比较范围</translation>
    </message>
    <message>
        <source>select</source>
        <translation>选择依据</translation>
    </message>
    <message>
        <source>sequence length</source>
        <translation>序列</translation>
    </message>
    <message>
        <source>sequence parallel</source>
        <translation>序列并行</translation>
    </message>
    <message>
        <source>sgd</source>
        <translation>sgd</translation>
    </message>
    <message>
        <source>sharding</source>
        <translation>卡</translation>
    </message>
    <message>
        <source>some otherwise</source>
        <translation>部分不同</translation>
    </message>
    <message>
        <source>stage blocks</source>
        <translation>每阶段的块数</translation>
    </message>
    <message>
        <source>stages per card</source>
        <translation>每卡阶段数</translation>
    </message>
    <message>
        <source>static cache</source>
        <translation>静态缓存</translation>
    </message>
    <message>
        <source>static graph</source>
        <translation>静态图</translation>
    </message>
    <message>
        <source>structure</source>
        <translation>对象</translation>
    </message>
    <message>
        <source>student</source>
        <translation>学生</translation>
    </message>
    <message>
        <source>student in {} MiB</source>
        <translation>学生 {} MiB</translation>
    </message>
    <message>
        <source>student source</source>
        <translation>另一个模型</translation>
    </message>
    <message>
        <source>sub group size</source>
        <translation>更新分组</translation>
    </message>
    <message>
        <source>symmetric</source>
        <translation>对称</translation>
    </message>
    <message>
        <source>target modules</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>teacher logits</source>
        <translation>教师的 logits</translation>
    </message>
    <message>
        <source>teacher offload</source>
        <translation>教师权重位于</translation>
    </message>
    <message>
        <source>teacher precision</source>
        <translation>教师的精度</translation>
    </message>
    <message>
        <source>teacher quantization</source>
        <translation>教师权重的位数</translation>
    </message>
    <message>
        <source>temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>tensor</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>tensor {}</source>
        <translation>张量 {}</translation>
    </message>
    <message>
        <source>the estimated time of a step, its allocations and frees spread evenly over it</source>
        <translation>一步的估计时间，分配与释放均匀分布其上</translation>
    </message>
    <message>
        <source>the micro-batch of the peak, or the last; each phase has the same width in every plan, and what the device holds beside is added</source>
        <translation>峰值所在的微批次，或最后一个；各阶段在每个方案中宽度相同，并加上设备上的其他占用</translation>
    </message>
    <message>
        <source>threshold</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>threshold of</source>
        <translation>阈值单位</translation>
    </message>
    <message>
        <source>to</source>
        <translation>卸载到</translation>
    </message>
    <message>
        <source>top k</source>
        <translation>每个位置的 logits</translation>
    </message>
    <message>
        <source>torch</source>
        <translation>torch</translation>
    </message>
    <message>
        <source>torch&apos;s default</source>
        <translation>torch 默认</translation>
    </message>
    <message>
        <source>torch&apos;s own</source>
        <translation>torch 自带</translation>
    </message>
    <message>
        <source>torch&apos;s plain products inside one call: keeps the scores.</source>
        <translation>torch 在一次调用内的普通乘积：保留分数。</translation>
    </message>
    <message>
        <source>torch.compile puts a block&apos;s forward and backward into two graphs, and keeps between them what costs least time. A memory budget below 1 keeps less and computes more again.</source>
        <translation>torch.compile 把一个块的前向和反向放进两个计算图，两者之间保留耗时最少的内容。显存预算低于 1 时保留更少、重算更多。</translation>
    </message>
    <message>
        <source>torchao {}bit</source>
        <translation>torchao {} 位</translation>
    </message>
    <message>
        <source>torchtitan</source>
        <translation>torchtitan</translation>
    </message>
    <message>
        <source>training</source>
        <translation>批次</translation>
    </message>
    <message>
        <source>twice</source>
        <translation>两次</translation>
    </message>
    <message>
        <source>update</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>update gap</source>
        <translation>每隔多少步更新投影</translation>
    </message>
    <message>
        <source>updates after backward</source>
        <translation>反向之后更新</translation>
    </message>
    <message>
        <source>updates in backward</source>
        <translation>反向中更新</translation>
    </message>
    <message>
        <source>use</source>
        <translation>规划用途</translation>
    </message>
    <message>
        <source>weight decay</source>
        <translation>权重衰减</translation>
    </message>
    <message>
        <source>width multiple</source>
        <translation>宽度的倍数</translation>
    </message>
    <message>
        <source>windows</source>
        <translation>仅窗口</translation>
    </message>
    <message>
        <source>zero grad</source>
        <translation>清除梯度</translation>
    </message>
    <message>
        <source>{} beams</source>
        <translation>{} 束</translation>
    </message>
    <message>
        <source>{} bits</source>
        <translation>{} 位</translation>
    </message>
    <message>
        <source>{} blocks folded to {}</source>
        <translation>{} 个块折叠为 {} 个</translation>
    </message>
    <message>
        <source>{} cards</source>
        <translation>{} 张卡</translation>
    </message>
    <message>
        <source>{} chunks</source>
        <translation>{} 块</translation>
    </message>
    <message>
        <source>{} micro-batches</source>
        <translation>{} 个微批次</translation>
    </message>
    <message>
        <source>{} modules</source>
        <translation>{} 个模块</translation>
    </message>
    <message>
        <source>{} tokens</source>
        <translation>{} 个 token</translation>
    </message>
    <message>
        <source>{}% as masks</source>
        <translation>{}%，掩码</translation>
    </message>
    <message>
        <source>{}% as packed</source>
        <translation>{}%，打包</translation>
    </message>
    <message>
        <source>{}% as zeros</source>
        <translation>{}%，零值</translation>
    </message>
    <message>
        <source>{}-bit AdamW</source>
        <translation>{} 位 AdamW</translation>
    </message>
    <message>
        <source>{}:{} as masks</source>
        <translation>{}:{}，掩码</translation>
    </message>
    <message>
        <source>{}:{} as packed</source>
        <translation>{}:{}，打包</translation>
    </message>
    <message>
        <source>{}:{} as zeros</source>
        <translation>{}:{}，零值</translation>
    </message>
    <message>
        <source>µ-law</source>
        <translation>µ 律</translation>
    </message>
</context>
<context>
    <name>Plan panel</name>
    <message>
        <source>Add a name…</source>
        <translation>添加名称…</translation>
    </message>
    <message>
        <source>Add to {title}</source>
        <translation>添加到{title}</translation>
    </message>
    <message>
        <source>Allocated by tensors: {allocated}; the rest is the allocator’s.</source>
        <translation>张量已分配：{allocated}；其余属于分配器。</translation>
    </message>
    <message>
        <source>CPU only</source>
        <translation>仅限 CPU</translation>
    </message>
    <message>
        <source>Filter options</source>
        <translation>筛选选项</translation>
    </message>
    <message>
        <source>For as many tokens or samples: {slower}, an estimate.</source>
        <translation>按同样多的 token 或样本计：{slower}，为估计值。</translation>
    </message>
    <message>
        <source>GPU only</source>
        <translation>仅限 GPU</translation>
    </message>
    <message>
        <source>No option has these words.</source>
        <translation>没有选项包含这些词。</translation>
    </message>
    <message>
        <source>No phase of the step takes more or less.</source>
        <translation>步中没有任何阶段占用更多或更少。</translation>
    </message>
    <message>
        <source>Numerics only: no phase of the step takes more or less.</source>
        <translation>只影响数值：步中没有任何阶段占用更多或更少。</translation>
    </message>
    <message>
        <source>Of the plan before the last change.</source>
        <translation>针对上次更改之前的方案。</translation>
    </message>
    <message>
        <source>Pin {option}</source>
        <translation>固定“{option}”</translation>
    </message>
    <message>
        <source>Pin: a search does not change it</source>
        <translation>固定：搜索不会改变它</translation>
    </message>
    <message>
        <source>Pinned: a search does not change it</source>
        <translation>已固定：搜索不会改变它</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Reset {title}</source>
        <translation>重置“{title}”</translation>
    </message>
    <message>
        <source>Saves memory now: {after} at the peak instead of {before}.</source>
        <translation>现在就节省显存：峰值 {after}，原为 {before}。</translation>
    </message>
    <message>
        <source>Take {name} out</source>
        <translation>移除 {name}</translation>
    </message>
    <message>
        <source>Take {name} out of {title}</source>
        <translation>从“{title}”中移除 {name}</translation>
    </message>
    <message>
        <source>Takes more memory: {after} at the peak instead of {before}.</source>
        <translation>占用更多显存：峰值 {after}，原为 {before}。</translation>
    </message>
    <message>
        <source>Tensors take {allocated} at the peak, but the allocator reserves as much as before.</source>
        <translation>张量在峰值时占 {allocated}，但分配器预留的与之前一样多。</translation>
    </message>
    <message>
        <source>The peak stays as it is; other phases of the step take more or less.</source>
        <translation>峰值不变；步中其他阶段占用更多或更少。</translation>
    </message>
    <message>
        <source>The plan then {then}.</source>
        <translation>此后方案{then}。</translation>
    </message>
    <message>
        <source>Unpin {option}</source>
        <translation>取消固定“{option}”</translation>
    </message>
    <message>
        <source>With this the plan can be carried out; its peak is {size}.</source>
        <translation>这样方案就可以执行；其峰值为 {size}。</translation>
    </message>
    <message>
        <source>With {needs} it is possible.</source>
        <translation>配合 {needs} 即可。</translation>
    </message>
    <message>
        <source>With {needs} it would change the peak by {changed}.</source>
        <translation>配合 {needs} 会使峰值变化 {changed}。</translation>
    </message>
    <message>
        <source>above {above}</source>
        <translation>大于 {above}</translation>
    </message>
    <message>
        <source>at {at}: </source>
        <translation>为 {at} 时：</translation>
    </message>
    <message>
        <source>at {at}: {words}</source>
        <translation>为 {at} 时：{words}</translation>
    </message>
    <message>
        <source>below {below}</source>
        <translation>小于 {below}</translation>
    </message>
    <message>
        <source>chosen</source>
        <translation>已选择</translation>
    </message>
    <message>
        <source>does not fit</source>
        <translation>放不下</translation>
    </message>
    <message>
        <source>fits</source>
        <translation>放得下</translation>
    </message>
    <message>
        <source>folded</source>
        <translation>已折叠</translation>
    </message>
    <message>
        <source>from {least}</source>
        <translation>从 {least}</translation>
    </message>
    <message>
        <source>gibibytes</source>
        <translation>GiB</translation>
    </message>
    <message>
        <source>may not fit</source>
        <translation>可能放不下</translation>
    </message>
    <message>
        <source>mebibytes</source>
        <translation>MiB</translation>
    </message>
    <message>
        <source>needs {name}</source>
        <translation>需要{name}</translation>
    </message>
    <message>
        <source>newer GPU only</source>
        <translation>仅限较新的 GPU</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
    <message>
        <source>not chosen</source>
        <translation>未选择</translation>
    </message>
    <message>
        <source>not possible</source>
        <translation>不可行</translation>
    </message>
    <message>
        <source>not with {choice}</source>
        <translation>不能与{choice}同用</translation>
    </message>
    <message>
        <source>numerics only</source>
        <translation>只影响数值</translation>
    </message>
    <message>
        <source>off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>offers {spoken}</source>
        <translation>可提供 {spoken}</translation>
    </message>
    <message>
        <source>on</source>
        <translation>开</translation>
    </message>
    <message>
        <source>open</source>
        <translation>已展开</translation>
    </message>
    <message>
        <source>peak {size}</source>
        <translation>峰值 {size}</translation>
    </message>
    <message>
        <source>possible</source>
        <translation>可行</translation>
    </message>
    <message>
        <source>same memory</source>
        <translation>显存不变</translation>
    </message>
    <message>
        <source>same peak</source>
        <translation>峰值不变</translation>
    </message>
    <message>
        <source>up to {most}</source>
        <translation>至 {most}</translation>
    </message>
    <message>
        <source>{least} to {most}</source>
        <translation>{least} 至 {most}</translation>
    </message>
</context>
<context>
    <name>Start page</name>
    <message>
        <source>A model folder, config.json, safetensors, GGUF, a state dict, ONNX, a Python recipe, a plan, or a trainer’s file</source>
        <translation>模型文件夹、config.json、safetensors、GGUF、state dict、ONNX、Python 配方、方案，或训练框架的文件</translation>
    </message>
    <message>
        <source>All</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Any command by name</source>
        <translation>按名称执行任何命令</translation>
    </message>
    <message>
        <source>Apply the plan on this machine</source>
        <translation>在本机试运行方案</translation>
    </message>
    <message>
        <source>Choose another…</source>
        <translation>另选…</translation>
    </message>
    <message>
        <source>Detected device</source>
        <translation>检测到的设备</translation>
    </message>
    <message>
        <source>Device, engine and recent</source>
        <translation>设备、引擎和最近打开</translation>
    </message>
    <message>
        <source>Drop a model or a plan here</source>
        <translation>把模型或方案拖到这里</translation>
    </message>
    <message>
        <source>Engine</source>
        <translation>引擎</translation>
    </message>
    <message>
        <source>Export to your trainer</source>
        <translation>导出到你的训练框架</translation>
    </message>
    <message>
        <source>Families of presets</source>
        <translation>预设的系列</translation>
    </message>
    <message>
        <source>Filter</source>
        <translation>筛选</translation>
    </message>
    <message>
        <source>Filter presets</source>
        <translation>筛选预设</translation>
    </message>
    <message>
        <source>Filter {count} presets</source>
        <translation>筛选 {count} 个预设</translation>
    </message>
    <message>
        <source>First steps</source>
        <translation>第一步</translation>
    </message>
    <message>
        <source>Free</source>
        <translation>空闲</translation>
    </message>
    <message>
        <source>From a Hugging Face name…</source>
        <translation>用 Hugging Face 名称…</translation>
    </message>
    <message>
        <source>Host memory</source>
        <translation>主机内存</translation>
    </message>
    <message>
        <source>Interpreter</source>
        <translation>解释器</translation>
    </message>
    <message>
        <source>Looking for devices…</source>
        <translation>正在查找设备…</translation>
    </message>
    <message>
        <source>Machine</source>
        <translation>机器</translation>
    </message>
    <message>
        <source>No preset has these words.</source>
        <translation>没有预设包含这些词。</translation>
    </message>
    <message>
        <source>Open a model</source>
        <translation>打开模型</translation>
    </message>
    <message>
        <source>Open…</source>
        <translation>打开…</translation>
    </message>
    <message>
        <source>Other processes</source>
        <translation>其他进程</translation>
    </message>
    <message>
        <source>Plan for another card…</source>
        <translation>为另一张卡规划…</translation>
    </message>
    <message>
        <source>Planned for</source>
        <translation>规划用途</translation>
    </message>
    <message>
        <source>Presets</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Recent</source>
        <translation>最近打开</translation>
    </message>
    <message>
        <source>Samples</source>
        <translation>示例</translation>
    </message>
    <message>
        <source>Weights {weights} in bf16</source>
        <translation>bf16 权重 {weights}</translation>
    </message>
    <message>
        <source>a model, a device and a plan, to look at</source>
        <translation>一个模型、一台设备和一份方案，供你查看</translation>
    </message>
    <message>
        <source>bar is the weights in bf16 against {memory}</source>
        <translation>条形为 bf16 权重与 {memory} 之比</translation>
    </message>
    <message>
        <source>compute {architecture}</source>
        <translation>计算能力 {architecture}</translation>
    </message>
    <message>
        <source>does not fit</source>
        <translation>放不下</translation>
    </message>
    <message>
        <source>fits</source>
        <translation>放得下</translation>
    </message>
    <message>
        <source>not installed</source>
        <translation>未安装</translation>
    </message>
    <message>
        <source>this CPU</source>
        <translation>本机 CPU</translation>
    </message>
    <message>
        <source>today</source>
        <translation>今天</translation>
    </message>
    <message>
        <source>yesterday</source>
        <translation>昨天</translation>
    </message>
    <message>
        <source>{batch_size} images</source>
        <translation>{batch_size} 张图像</translation>
    </message>
    <message>
        <source>{class_name}, preset:{name}</source>
        <translation>{class_name}，preset:{name}</translation>
    </message>
    <message>
        <source>{free} of {memory}</source>
        <translation>{free} / {memory}</translation>
    </message>
    <message>
        <source>{host_memory}, {host_free} free</source>
        <translation>{host_memory}，空闲 {host_free}</translation>
    </message>
    <message>
        <source>{title} by {publisher}, {parameters} parameters</source>
        <translation>{title}，{publisher}，{parameters} 参数</translation>
    </message>
</context>
<context>
    <name>Views</name>
    <message>
        <source> MiB</source>
        <translation> MiB</translation>
    </message>
    <message>
        <source> an hour</source>
        <translation> /小时</translation>
    </message>
    <message>
        <source> percent</source>
        <translation>%</translation>
    </message>
    <message>
        <source>(predicted − measured) / measured, of what tensors take at the peak</source>
        <translation>（预测 − 实测）/ 实测，指张量在峰值时的占用</translation>
    </message>
    <message>
        <source>, frozen</source>
        <translation>，冻结</translation>
    </message>
    <message>
        <source>, last step {last}, highest {highest}</source>
        <translation>，上一步 {last}，最高 {highest}</translation>
    </message>
    <message>
        <source>, likely {low} to {high}</source>
        <translation>，可能为 {low} 至 {high}</translation>
    </message>
    <message>
        <source>, micro-batch {number}</source>
        <translation>，微批次 {number}</translation>
    </message>
    <message>
        <source>, on {cards} × {device}</source>
        <translation>，使用 {cards} × {device}</translation>
    </message>
    <message>
        <source>, one of {alike} alike</source>
        <translation>，{alike} 个相同之一</translation>
    </message>
    <message>
        <source>, stage {stage}</source>
        <translation>，阶段 {stage}</translation>
    </message>
    <message>
        <source>, token {number}</source>
        <translation>，token {number}</translation>
    </message>
    <message>
        <source>, {count} alike</source>
        <translation>，{count} 个相同</translation>
    </message>
    <message>
        <source>, {parameters} parameters</source>
        <translation>，{parameters} 参数</translation>
    </message>
    <message>
        <source>, {size} reserved</source>
        <translation>，预留 {size}</translation>
    </message>
    <message>
        <source>, {size} to spare</source>
        <translation>，余 {size}</translation>
    </message>
    <message>
        <source>, {time} per step</source>
        <translation>，每步 {time}</translation>
    </message>
    <message>
        <source>1 / square root</source>
        <translation>1 / 平方根</translation>
    </message>
    <message>
        <source>; kept in {now}</source>
        <translation>；保存为 {now}</translation>
    </message>
    <message>
        <source>; measured {size}</source>
        <translation>；实测 {size}</translation>
    </message>
    <message>
        <source>; ranks that hold the same share a cell</source>
        <translation>；占用相同的 rank 共用一格</translation>
    </message>
    <message>
        <source>; the first step makes the optimizer state, the prediction is a steady step</source>
        <translation>；第一步会创建优化器状态，预测的是稳定后的一步</translation>
    </message>
    <message>
        <source>A million samples: {costs}</source>
        <translation>每百万样本：{costs}</translation>
    </message>
    <message>
        <source>A million tokens: {costs}</source>
        <translation>每百万 token：{costs}</translation>
    </message>
    <message>
        <source>A point is the highest of its stretch.</source>
        <translation>每个点是其区间的最高值。</translation>
    </message>
    <message>
        <source>A quotation mark is open: close it, or leave it out.</source>
        <translation>有引号未关闭：请关闭或去掉它。</translation>
    </message>
    <message>
        <source>A step’s time by the device’s data sheet, before anything was measured</source>
        <translation>根据设备数据手册估计的步时，在任何实测之前</translation>
    </message>
    <message>
        <source>Activations</source>
        <translation>激活值</translation>
    </message>
    <message>
        <source>After</source>
        <translation>之后</translation>
    </message>
    <message>
        <source>Align</source>
        <translation>对齐</translation>
    </message>
    <message>
        <source>All</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>All categories</source>
        <translation>所有类别</translation>
    </message>
    <message>
        <source>All devices</source>
        <translation>所有设备</translation>
    </message>
    <message>
        <source>All {count}</source>
        <translation>全部 {count}</translation>
    </message>
    <message>
        <source>All {ranks} ranks hold the same; most of it is {part}, {size}.</source>
        <translation>全部 {ranks} 个 rank 占用相同；其中最多的是{part}，{size}。</translation>
    </message>
    <message>
        <source>All-gather</source>
        <translation>All-gather</translation>
    </message>
    <message>
        <source>All-reduce</source>
        <translation>All-reduce</translation>
    </message>
    <message>
        <source>All-to-all</source>
        <translation>All-to-all</translation>
    </message>
    <message>
        <source>Allocated</source>
        <translation>已分配</translation>
    </message>
    <message>
        <source>Allocated at the peak</source>
        <translation>峰值时已分配</translation>
    </message>
    <message>
        <source>Allocated at the peak of each rank</source>
        <translation>每个 rank 峰值时已分配</translation>
    </message>
    <message>
        <source>Allocations</source>
        <translation>分配次数</translation>
    </message>
    <message>
        <source>Another model, or fewer trained parameters: judge it on your own task.</source>
        <translation>另一个模型，或训练的参数更少：请在你自己的任务上判断。</translation>
    </message>
    <message>
        <source>Apply the plan to see its memory here, live, against the prediction.</source>
        <translation>试运行方案，即可在这里实时对照预测查看显存。</translation>
    </message>
    <message>
        <source>As</source>
        <translation>形式</translation>
    </message>
    <message>
        <source>As CSV</source>
        <translation>CSV</translation>
    </message>
    <message>
        <source>As Markdown</source>
        <translation>Markdown</translation>
    </message>
    <message>
        <source>As text with tabs</source>
        <translation>制表符分隔的文本</translation>
    </message>
    <message>
        <source>Asked for by</source>
        <translation>请求者</translation>
    </message>
    <message>
        <source>At the cursor</source>
        <translation>光标处</translation>
    </message>
    <message>
        <source>Axis from</source>
        <translation>坐标轴起点</translation>
    </message>
    <message>
        <source>Axis starts at {start}. Always there: {parts}.</source>
        <translation>坐标轴从 {start} 开始。始终存在：{parts}。</translation>
    </message>
    <message>
        <source>Baseline</source>
        <translation>基准</translation>
    </message>
    <message>
        <source>Before</source>
        <translation>之前</translation>
    </message>
    <message>
        <source>Before the first {word}</source>
        <translation>第一{word}之前</translation>
    </message>
    <message>
        <source>Best of each risk</source>
        <translation>各风险等级最优</translation>
    </message>
    <message>
        <source>Best possible</source>
        <translation>最优解</translation>
    </message>
    <message>
        <source>Between nodes</source>
        <translation>节点之间</translation>
    </message>
    <message>
        <source>Bits for a model of</source>
        <translation>模型目标大小</translation>
    </message>
    <message>
        <source>Bits or pruning for the linear layers of the selected rows alone</source>
        <translation>仅对选中行的线性层设置位数或剪枝</translation>
    </message>
    <message>
        <source>Boundary of stages {stage} and {next}</source>
        <translation>阶段 {stage} 与 {next} 的边界</translation>
    </message>
    <message>
        <source>Broadcast</source>
        <translation>Broadcast</translation>
    </message>
    <message>
        <source>Budget for the model’s parameters and buffers, in MiB</source>
        <translation>模型参数和缓冲区的预算，MiB</translation>
    </message>
    <message>
        <source>By event</source>
        <translation>按事件</translation>
    </message>
    <message>
        <source>By phase</source>
        <translation>按阶段</translation>
    </message>
    <message>
        <source>By time</source>
        <translation>按时间</translation>
    </message>
    <message>
        <source>By type</source>
        <translation>按类型</translation>
    </message>
    <message>
        <source>Bytes</source>
        <translation>字节</translation>
    </message>
    <message>
        <source>Bytes at</source>
        <translation>时刻</translation>
    </message>
    <message>
        <source>Bytes at the peak</source>
        <translation>峰值时的字节数</translation>
    </message>
    <message>
        <source>Bytes by category</source>
        <translation>按类别的字节数</translation>
    </message>
    <message>
        <source>Card</source>
        <translation>卡</translation>
    </message>
    <message>
        <source>Cards</source>
        <translation>卡</translation>
    </message>
    <message>
        <source>Categories</source>
        <translation>类别</translation>
    </message>
    <message>
        <source>Category</source>
        <translation>类别</translation>
    </message>
    <message>
        <source>Changes</source>
        <translation>更改</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>更改…</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>需检验</translation>
    </message>
    <message>
        <source>Check quality</source>
        <translation>需检验质量</translation>
    </message>
    <message>
        <source>Choose</source>
        <translation>选择</translation>
    </message>
    <message>
        <source>Choose bits</source>
        <translation>选择位数</translation>
    </message>
    <message>
        <source>Choose for these layers…</source>
        <translation>为这些层选择…</translation>
    </message>
    <message>
        <source>Choose: {what}</source>
        <translation>选择：{what}</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close snapshot</source>
        <translation>关闭快照</translation>
    </message>
    <message>
        <source>Columns of the layers</source>
        <translation>层的列</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>对比</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy all</source>
        <translation>全部复制</translation>
    </message>
    <message>
        <source>Copy as a table</source>
        <translation>复制为表格</translation>
    </message>
    <message>
        <source>Copy as a table (Ctrl+C in it)</source>
        <translation>复制为表格（在表格中按 Ctrl+C）</translation>
    </message>
    <message>
        <source>Copy as table</source>
        <translation>复制为表格</translation>
    </message>
    <message>
        <source>Copy rows</source>
        <translation>复制行</translation>
    </message>
    <message>
        <source>Copy rows with plain bytes</source>
        <translation>复制行（字节数）</translation>
    </message>
    <message>
        <source>Copy the module’s name</source>
        <translation>复制模块名称</translation>
    </message>
    <message>
        <source>Copy the picture</source>
        <translation>复制图片</translation>
    </message>
    <message>
        <source>Copy the selected rows</source>
        <translation>复制选中的行</translation>
    </message>
    <message>
        <source>Copy the table as CSV</source>
        <translation>以 CSV 复制表格</translation>
    </message>
    <message>
        <source>Copy the table as Markdown</source>
        <translation>以 Markdown 复制表格</translation>
    </message>
    <message>
        <source>Copy the table as text with tabs</source>
        <translation>以制表符分隔文本复制表格</translation>
    </message>
    <message>
        <source>Copy this cell</source>
        <translation>复制此单元格</translation>
    </message>
    <message>
        <source>Ctrl Z brings the plan before it back.</source>
        <translation>Ctrl Z 恢复之前的方案。</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>Decode, token {last}</source>
        <translation>解码，token {last}</translation>
    </message>
    <message>
        <source>Decode, tokens {first} to {last}</source>
        <translation>解码，token {first} 至 {last}</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Device whose runs are shown</source>
        <translation>显示其运行记录的设备</translation>
    </message>
    <message>
        <source>Difference</source>
        <translation>差值</translation>
    </message>
    <message>
        <source>Dismiss (Esc)</source>
        <translation>关闭 (Esc)</translation>
    </message>
    <message>
        <source>Dismiss the notice</source>
        <translation>关闭通知</translation>
    </message>
    <message>
        <source>Does not fit</source>
        <translation>放不下</translation>
    </message>
    <message>
        <source>Does not fit: {size} missing</source>
        <translation>放不下：缺 {size}</translation>
    </message>
    <message>
        <source>Drag the marked part, or its edges</source>
        <translation>拖动标出的部分或其边缘</translation>
    </message>
    <message>
        <source>Drag to zoom, Home to reset</source>
        <translation>拖动缩放，Home 复位</translation>
    </message>
    <message>
        <source>Duplicate</source>
        <translation>创建副本</translation>
    </message>
    <message>
        <source>Each of {total} cards alike</source>
        <translation>{total} 张卡都相同</translation>
    </message>
    <message>
        <source>End</source>
        <translation>结束</translation>
    </message>
    <message>
        <source>End of forward</source>
        <translation>前向结束时</translation>
    </message>
    <message>
        <source>Ends the process at once; this {word} is lost</source>
        <translation>立即结束进程；这一{word}会丢失</translation>
    </message>
    <message>
        <source>Ends the run when its {word} is complete (Ctrl+.)</source>
        <translation>当前{word}完成后结束运行 (Ctrl+.)</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>误差</translation>
    </message>
    <message>
        <source>Error of the allocated peak: {error}.</source>
        <translation>已分配峰值的误差：{error}。</translation>
    </message>
    <message>
        <source>Error of the peak {error_words}</source>
        <translation>峰值误差 {error_words}</translation>
    </message>
    <message>
        <source>Errors of predictions over time</source>
        <translation>预测误差随时间的变化</translation>
    </message>
    <message>
        <source>Estimated</source>
        <translation>估计</translation>
    </message>
    <message>
        <source>Event</source>
        <translation>事件</translation>
    </message>
    <message>
        <source>Every module holds the same in these plans.</source>
        <translation>在这些方案中每个模块的占用都相同。</translation>
    </message>
    <message>
        <source>Failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>Filter modules</source>
        <translation>筛选模块</translation>
    </message>
    <message>
        <source>Filter plans</source>
        <translation>筛选方案</translation>
    </message>
    <message>
        <source>Filter plans by what they change</source>
        <translation>按更改内容筛选方案</translation>
    </message>
    <message>
        <source>Filter runs</source>
        <translation>筛选运行</translation>
    </message>
    <message>
        <source>Filter runs by model, plan or date</source>
        <translation>按模型、方案或日期筛选运行</translation>
    </message>
    <message>
        <source>Find modules</source>
        <translation>查找模块</translation>
    </message>
    <message>
        <source>Finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>Fit in</source>
        <translation>放入</translation>
    </message>
    <message>
        <source>Fits, nothing to spare</source>
        <translation>放得下，没有余量</translation>
    </message>
    <message>
        <source>Fits, {size} to spare</source>
        <translation>放得下，余 {size}</translation>
    </message>
    <message>
        <source>Fixed part</source>
        <translation>固定部分</translation>
    </message>
    <message>
        <source>For a token or sample, beside the plan as it is</source>
        <translation>每个 token 或样本，与当前方案相比</translation>
    </message>
    <message>
        <source>Forward, per second</source>
        <translation>前向，每秒</translation>
    </message>
    <message>
        <source>Forwards</source>
        <translation>前向次数</translation>
    </message>
    <message>
        <source>Free at the peak: {free}</source>
        <translation>峰值时空闲：{free}</translation>
    </message>
    <message>
        <source>From left to right by allocations and frees, not by time.</source>
        <translation>从左到右按分配与释放排列，而非按时间。</translation>
    </message>
    <message>
        <source>Fullest of {total} cards: rank {rank}, stage {stage}</source>
        <translation>{total} 张卡中最满的：rank {rank}，阶段 {stage}</translation>
    </message>
    <message>
        <source>GELU</source>
        <translation>GELU</translation>
    </message>
    <message>
        <source>Generations</source>
        <translation>生成次数</translation>
    </message>
    <message>
        <source>Gives each layer the bits that lose least together</source>
        <translation>为每层选择总损失最小的位数组合</translation>
    </message>
    <message>
        <source>Goal</source>
        <translation>目标</translation>
    </message>
    <message>
        <source>Group alike blocks</source>
        <translation>合并相同的块</translation>
    </message>
    <message>
        <source>Here at the peak</source>
        <translation>峰值时此处</translation>
    </message>
    <message>
        <source>Highest in each phase</source>
        <translation>各阶段的最高值</translation>
    </message>
    <message>
        <source>Host</source>
        <translation>主机</translation>
    </message>
    <message>
        <source>Icicle</source>
        <translation>冰柱图</translation>
    </message>
    <message>
        <source>Icicle as a table</source>
        <translation>表格形式的冰柱图</translation>
    </message>
    <message>
        <source>In any currency; told beside time in the panel of the selected plan</source>
        <translation>任意货币；在选中方案的面板中显示在时间旁</translation>
    </message>
    <message>
        <source>In flight</source>
        <translation>在途</translation>
    </message>
    <message>
        <source>In memory</source>
        <translation>内存中</translation>
    </message>
    <message>
        <source>It failed: its peak is not that of a whole step, and counts in no median.</source>
        <translation>运行失败：其峰值不是完整一步的峰值，不计入中位数。</translation>
    </message>
    <message>
        <source>It has {ours} of {part} against {theirs} of {emptiest}, the emptiest.</source>
        <translation>它有 {ours} 的{part}，而最空的 {emptiest} 有 {theirs}。</translation>
    </message>
    <message>
        <source>It has {ours} of {part}, and {emptiest} has none.</source>
        <translation>它有 {ours} 的{part}，而 {emptiest} 没有。</translation>
    </message>
    <message>
        <source>It ran out of memory: its peak is not that of a whole step, and counts in no median.</source>
        <translation>显存不足：其峰值不是完整一步的峰值，不计入中位数。</translation>
    </message>
    <message>
        <source>Its allocator holds more than that of {emptiest}, of the same tensors.</source>
        <translation>张量相同，但它的分配器占用比 {emptiest} 多。</translation>
    </message>
    <message>
        <source>Its plan</source>
        <translation>它的方案</translation>
    </message>
    <message>
        <source>Judged on</source>
        <translation>评判数据</translation>
    </message>
    <message>
        <source>Keep another option as it is</source>
        <translation>保持另一个选项不变</translation>
    </message>
    <message>
        <source>Keep its plan, and put it beside the plan as it is</source>
        <translation>保留它的方案，并与当前方案并排放置</translation>
    </message>
    <message>
        <source>Keep this plan</source>
        <translation>保留此方案</translation>
    </message>
    <message>
        <source>Keep this plan with Ctrl D, change it, and both stand here side by side. Plans that are kept are listed at the left.</source>
        <translation>用 Ctrl D 保留此方案，再加以更改，两者就会在这里并排显示。保留的方案列在左侧。</translation>
    </message>
    <message>
        <source>Keep what has been found so far</source>
        <translation>保留目前找到的内容</translation>
    </message>
    <message>
        <source>Kept for backward</source>
        <translation>为反向保留</translation>
    </message>
    <message>
        <source>Kept in</source>
        <translation>保存为</translation>
    </message>
    <message>
        <source>Kept of earlier tokens</source>
        <translation>为较早 token 保留</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>Largest at the recorded peak</source>
        <translation>记录峰值时最大的</translation>
    </message>
    <message>
        <source>Largest difference</source>
        <translation>最大差异</translation>
    </message>
    <message>
        <source>Largest output error</source>
        <translation>最大输出误差</translation>
    </message>
    <message>
        <source>Largest quality risk</source>
        <translation>最大质量风险</translation>
    </message>
    <message>
        <source>Last minute</source>
        <translation>最近一分钟</translation>
    </message>
    <message>
        <source>Layer</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Layers that compression has changed</source>
        <translation>压缩改变了的层</translation>
    </message>
    <message>
        <source>Left over beyond the estimate’s own margin</source>
        <translation>在估计自身误差范围之外再留出的余量</translation>
    </message>
    <message>
        <source>Likely {low} to {high}</source>
        <translation>可能为 {low} 至 {high}</translation>
    </message>
    <message>
        <source>Lines</source>
        <translation>曲线</translation>
    </message>
    <message>
        <source>Live memory</source>
        <translation>实时显存</translation>
    </message>
    <message>
        <source>Looking for the smallest change that fits.</source>
        <translation>正在寻找放得下的最小改动。</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>Loss rise</source>
        <translation>损失上升</translation>
    </message>
    <message>
        <source>Make this the open plan; undo takes it back</source>
        <translation>使它成为打开的方案；可以撤销</translation>
    </message>
    <message>
        <source>Margin</source>
        <translation>余量</translation>
    </message>
    <message>
        <source>Margin to leave over, in GiB</source>
        <translation>要留出的余量，GiB</translation>
    </message>
    <message>
        <source>May be used</source>
        <translation>可以使用</translation>
    </message>
    <message>
        <source>May not fit</source>
        <translation>可能放不下</translation>
    </message>
    <message>
        <source>May not fit: cache must be freed</source>
        <translation>可能放不下：须释放缓存</translation>
    </message>
    <message>
        <source>May not fit: its use is not known</source>
        <translation>可能放不下：占用未知</translation>
    </message>
    <message>
        <source>May not fit: only by giving cached memory back</source>
        <translation>可能放不下：只有归还缓存的显存才行</translation>
    </message>
    <message>
        <source>May not fit: up to {size} over</source>
        <translation>可能放不下：最多超 {size}</translation>
    </message>
    <message>
        <source>May not fit: what the device holds is not known</source>
        <translation>可能放不下：设备上的占用未知</translation>
    </message>
    <message>
        <source>May not fit: {size} over at the high end</source>
        <translation>可能放不下：最坏情况下超出 {size}</translation>
    </message>
    <message>
        <source>Mean loss</source>
        <translation>平均损失</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>测量</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>重新测量</translation>
    </message>
    <message>
        <source>Measure how much each linear layer loses in 8, 4, 3 and 2 bits, on the source’s own weights and a text. Then bits can be chosen for a number of bytes.</source>
        <translation>用来源自身的权重和一份文本，测量每个线性层在 8、4、3 和 2 位时的损失。之后即可按给定字节数选择位数。</translation>
    </message>
    <message>
        <source>Measured</source>
        <translation>实测</translation>
    </message>
    <message>
        <source>Measured here: perplexity × {measured:.3f} after compression.</source>
        <translation>在此实测：压缩后困惑度 × {measured:.3f}。</translation>
    </message>
    <message>
        <source>Memory budget</source>
        <translation>显存预算</translation>
    </message>
    <message>
        <source>Memory of the host, in GiB</source>
        <translation>主机内存，GiB</translation>
    </message>
    <message>
        <source>Memory of {name} is not known</source>
        <translation>{name} 的内存大小未知</translation>
    </message>
    <message>
        <source>Micro-batch {number}</source>
        <translation>微批次 {number}</translation>
    </message>
    <message>
        <source>Micro-batch, accumulation</source>
        <translation>微批次、梯度累积</translation>
    </message>
    <message>
        <source>Micro-batches {numbers}</source>
        <translation>微批次 {numbers}</translation>
    </message>
    <message>
        <source>Module</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>Modules</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>Modules below their types, the largest type first</source>
        <translation>模块归在其类型之下，最大的类型在前</translation>
    </message>
    <message>
        <source>Modules with their bytes by category</source>
        <translation>模块及其按类别的字节数</translation>
    </message>
    <message>
        <source>More plans…</source>
        <translation>更多方案…</translation>
    </message>
    <message>
        <source>No change that a search tries makes this plan fit this device.</source>
        <translation>搜索尝试的改动都无法让此方案放进此设备。</translation>
    </message>
    <message>
        <source>No estimate yet</source>
        <translation>尚无估计</translation>
    </message>
    <message>
        <source>No module holds any of this at this moment.</source>
        <translation>此刻没有模块占用这一项。</translation>
    </message>
    <message>
        <source>No rate of a link is known; set it under Cards.</source>
        <translation>链路速率未知；请在“卡”下设置。</translation>
    </message>
    <message>
        <source>No run has all of these words.</source>
        <translation>没有运行包含所有这些词。</translation>
    </message>
    <message>
        <source>No run yet</source>
        <translation>尚未运行</translation>
    </message>
    <message>
        <source>No runs are kept yet. Apply (Ctrl R) runs the plan for a few real steps on this machine; what it measures is kept, and stands here beside what was predicted.</source>
        <translation>尚未保留任何运行。“试运行”(Ctrl R) 在本机把方案真实运行几步；测得的结果会保留，并在这里与预测并列。</translation>
    </message>
    <message>
        <source>None: every category is as predicted.</source>
        <translation>无：每个类别都与预测一致。</translation>
    </message>
    <message>
        <source>Not estimated yet.</source>
        <translation>尚未估计。</translation>
    </message>
    <message>
        <source>Not known whether it fits</source>
        <translation>不知道是否放得下</translation>
    </message>
    <message>
        <source>Not measured on this model.</source>
        <translation>未在此模型上测量。</translation>
    </message>
    <message>
        <source>Notes</source>
        <translation>说明</translation>
    </message>
    <message>
        <source>Nothing is sent to other cards.</source>
        <translation>不向其他卡发送任何内容。</translation>
    </message>
    <message>
        <source>Nothing to draw</source>
        <translation>没有可绘制的内容</translation>
    </message>
    <message>
        <source>Notice</source>
        <translation>通知</translation>
    </message>
    <message>
        <source>Of rank {rank}; rank {fullest} has {spare}</source>
        <translation>rank {rank}；rank {fullest} {spare}</translation>
    </message>
    <message>
        <source>Of the plan before the last change; the search goes on.</source>
        <translation>针对上次更改之前的方案；搜索仍在继续。</translation>
    </message>
    <message>
        <source>On disk</source>
        <translation>磁盘上</translation>
    </message>
    <message>
        <source>One card holds everything. Set nodes and cards a node above; then this shows what each card holds, and which one decides.</source>
        <translation>一张卡持有全部内容。请在上方设置节点数和每节点卡数；之后这里会显示每张卡的占用，以及由哪张决定。</translation>
    </message>
    <message>
        <source>One forward</source>
        <translation>一次前向</translation>
    </message>
    <message>
        <source>One generation writes</source>
        <translation>一次生成写出</translation>
    </message>
    <message>
        <source>One optimizer step</source>
        <translation>一个优化器步</translation>
    </message>
    <message>
        <source>Optimizer</source>
        <translation>优化器</translation>
    </message>
    <message>
        <source>Optimizer and its state</source>
        <translation>优化器及其状态</translation>
    </message>
    <message>
        <source>Optimizer step</source>
        <translation>优化器步</translation>
    </message>
    <message>
        <source>Other processes</source>
        <translation>其他进程</translation>
    </message>
    <message>
        <source>Other rounding, or an optimizer that keeps its state in fewer bits.</source>
        <translation>其他舍入方式，或用更少位数保存状态的优化器。</translation>
    </message>
    <message>
        <source>Out of memory</source>
        <translation>显存不足</translation>
    </message>
    <message>
        <source>Output error</source>
        <translation>输出误差</translation>
    </message>
    <message>
        <source>Output error of each layer</source>
        <translation>每层的输出误差</translation>
    </message>
    <message>
        <source>Overview of the history</source>
        <translation>历史概览</translation>
    </message>
    <message>
        <source>Overview of the step</source>
        <translation>步的概览</translation>
    </message>
    <message>
        <source>Own maximum</source>
        <translation>各自最高时</translation>
    </message>
    <message>
        <source>Parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>Parameters and buffers together: {words}</source>
        <translation>参数和缓冲区合计：{words}</translation>
    </message>
    <message>
        <source>Past run</source>
        <translation>历次运行</translation>
    </message>
    <message>
        <source>Past runs</source>
        <translation>历次运行</translation>
    </message>
    <message>
        <source>Peak</source>
        <translation>峰值</translation>
    </message>
    <message>
        <source>Peak of each step</source>
        <translation>每步的峰值</translation>
    </message>
    <message>
        <source>Peak of each, allocated</source>
        <translation>各步峰值，已分配</translation>
    </message>
    <message>
        <source>Peak {peak}</source>
        <translation>峰值 {peak}</translation>
    </message>
    <message>
        <source>Peak {peak} of {limit} on {device}</source>
        <translation>{device} 上的峰值 {peak} / {limit}</translation>
    </message>
    <message>
        <source>Peak {peak} of {memory}</source>
        <translation>峰值 {peak} / {memory}</translation>
    </message>
    <message>
        <source>Peak {peak} on {device}</source>
        <translation>{device} 上的峰值 {peak}</translation>
    </message>
    <message>
        <source>Peak {size} allocated</source>
        <translation>峰值已分配 {size}</translation>
    </message>
    <message>
        <source>Peak: {title}</source>
        <translation>峰值：{title}</translation>
    </message>
    <message>
        <source>Peak: {title}, {place}, {total} allocated</source>
        <translation>峰值：{title}，{place}，已分配 {total}</translation>
    </message>
    <message>
        <source>Perplexity</source>
        <translation>困惑度</translation>
    </message>
    <message>
        <source>Phase</source>
        <translation>阶段</translation>
    </message>
    <message>
        <source>Pin another</source>
        <translation>再固定一个</translation>
    </message>
    <message>
        <source>Pin to the top</source>
        <translation>固定到顶部</translation>
    </message>
    <message>
        <source>Pinned</source>
        <translation>已固定</translation>
    </message>
    <message>
        <source>Pinned: press to let the search change it</source>
        <translation>已固定：按下可让搜索改变它</translation>
    </message>
    <message>
        <source>Plan {letter}</source>
        <translation>方案 {letter}</translation>
    </message>
    <message>
        <source>Plans</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Plans as a table</source>
        <translation>表格形式的方案</translation>
    </message>
    <message>
        <source>Plans by memory and time; the table below has the same</source>
        <translation>按显存和时间排列的方案；下方表格内容相同</translation>
    </message>
    <message>
        <source>Plans side by side</source>
        <translation>并排的方案</translation>
    </message>
    <message>
        <source>Plans to compare</source>
        <translation>要对比的方案</translation>
    </message>
    <message>
        <source>Plot</source>
        <translation>图</translation>
    </message>
    <message>
        <source>Point at a layer, or go through them with the arrow keys.</source>
        <translation>指向某一层，或用方向键逐层查看。</translation>
    </message>
    <message>
        <source>Predicted</source>
        <translation>预测</translation>
    </message>
    <message>
        <source>Predicted against measured</source>
        <translation>预测与实测对照</translation>
    </message>
    <message>
        <source>Predicted and measured</source>
        <translation>预测与实测</translation>
    </message>
    <message>
        <source>Predicted step</source>
        <translation>预测的步</translation>
    </message>
    <message>
        <source>Prefer</source>
        <translation>偏好</translation>
    </message>
    <message>
        <source>Price</source>
        <translation>价格</translation>
    </message>
    <message>
        <source>Price of an hour of one card</source>
        <translation>一张卡一小时的价格</translation>
    </message>
    <message>
        <source>Process</source>
        <translation>进程</translation>
    </message>
    <message>
        <source>Process memory</source>
        <translation>进程内存</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>进度</translation>
    </message>
    <message>
        <source>Put it beside the plan as it is</source>
        <translation>把它放在当前方案旁边</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>质量</translation>
    </message>
    <message>
        <source>RMS norm</source>
        <translation>RMS 归一化</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>Rank</translation>
    </message>
    <message>
        <source>Rank {rank}</source>
        <translation>Rank {rank}</translation>
    </message>
    <message>
        <source>Rank {rank} does not fit</source>
        <translation>Rank {rank} 放不下</translation>
    </message>
    <message>
        <source>Rank {rank}, stage {stage}</source>
        <translation>Rank {rank}，阶段 {stage}</translation>
    </message>
    <message>
        <source>Ranks</source>
        <translation>Rank</translation>
    </message>
    <message>
        <source>Ranks as a table</source>
        <translation>表格形式的 rank</translation>
    </message>
    <message>
        <source>ReLU</source>
        <translation>ReLU</translation>
    </message>
    <message>
        <source>Recorded</source>
        <translation>记录</translation>
    </message>
    <message>
        <source>Recorded history</source>
        <translation>记录的历史</translation>
    </message>
    <message>
        <source>Reduce-scatter</source>
        <translation>Reduce-scatter</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>重命名…</translation>
    </message>
    <message>
        <source>Reserved</source>
        <translation>预留</translation>
    </message>
    <message>
        <source>Reserved memory follows</source>
        <translation>预留显存随后给出</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Runs in</source>
        <translation>运行于</translation>
    </message>
    <message>
        <source>Same</source>
        <translation>相同</translation>
    </message>
    <message>
        <source>Same result</source>
        <translation>结果相同</translation>
    </message>
    <message>
        <source>Saved to</source>
        <translation>保存到</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search for plans that fit (Ctrl+4)</source>
        <translation>搜索放得下的方案 (Ctrl+4)</translation>
    </message>
    <message>
        <source>Searched for exactly, instead of layer by layer; takes longer</source>
        <translation>精确搜索，而非逐层选择；耗时更长</translation>
    </message>
    <message>
        <source>Select a module to see its shapes and what it keeps.</source>
        <translation>选择一个模块，查看其形状和保留的内容。</translation>
    </message>
    <message>
        <source>Select a plan in the plot or the table: this explains what it changes and costs.</source>
        <translation>在图或表格中选择一个方案：这里会说明它改变什么、代价是什么。</translation>
    </message>
    <message>
        <source>Select a run in the plot or the table: this shows its plan and what was measured.</source>
        <translation>在图或表格中选择一次运行：这里会显示它的方案和实测结果。</translation>
    </message>
    <message>
        <source>Selected plan</source>
        <translation>选中的方案</translation>
    </message>
    <message>
        <source>Sensitivity of layers</source>
        <translation>各层的敏感度</translation>
    </message>
    <message>
        <source>Sent in a step</source>
        <translation>每步发送</translation>
    </message>
    <message>
        <source>Settings that differ</source>
        <translation>不同的设置</translation>
    </message>
    <message>
        <source>Shades from {least} to {most}</source>
        <translation>色阶从{least}到{most}</translation>
    </message>
    <message>
        <source>Shapes</source>
        <translation>形状</translation>
    </message>
    <message>
        <source>Share</source>
        <translation>占比</translation>
    </message>
    <message>
        <source>Share, largest sibling = full</source>
        <translation>占比，同级最大者为满格</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>Show as icicle</source>
        <translation>显示为冰柱图</translation>
    </message>
    <message>
        <source>Show as plot</source>
        <translation>显示为图</translation>
    </message>
    <message>
        <source>Show as table</source>
        <translation>显示为表格</translation>
    </message>
    <message>
        <source>Show as table…</source>
        <translation>显示为表格…</translation>
    </message>
    <message>
        <source>Show the fullest</source>
        <translation>显示最满的</translation>
    </message>
    <message>
        <source>Show the whole (Home)</source>
        <translation>显示全部 (Home)</translation>
    </message>
    <message>
        <source>Show the whole history (Home)</source>
        <translation>显示全部历史 (Home)</translation>
    </message>
    <message>
        <source>Show the whole {word} (Home)</source>
        <translation>显示整个{word} (Home)</translation>
    </message>
    <message>
        <source>Shown</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>SiLU</source>
        <translation>SiLU</translation>
    </message>
    <message>
        <source>Small</source>
        <translation>较小</translation>
    </message>
    <message>
        <source>Small change</source>
        <translation>小改动</translation>
    </message>
    <message>
        <source>Smallest change that fits</source>
        <translation>放得下的最小改动</translation>
    </message>
    <message>
        <source>Smallest change that fits:</source>
        <translation>放得下的最小改动：</translation>
    </message>
    <message>
        <source>Snapshot</source>
        <translation>快照</translation>
    </message>
    <message>
        <source>Some layers went, so that outputs of the others cannot be compared.</source>
        <translation>有些层被移除，因此无法比较其他层的输出。</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>Stage to stage</source>
        <translation>阶段到阶段</translation>
    </message>
    <message>
        <source>Stage {stage} ends with block {end}, stage {next} begins with block {start}</source>
        <translation>阶段 {stage} 止于块 {end}，阶段 {next} 始于块 {start}</translation>
    </message>
    <message numerus="yes">
        <source>Stage {stage} keeps {count} micro-batches in flight.</source>
        <comment>Stage {stage} keeps {count} micro-batch in flight.</comment>
        <translation>
            <numerusform>阶段 {stage} 有 {count} 个微批次在途。</numerusform>
        </translation>
    </message>
    <message>
        <source>Stages of the pipeline</source>
        <translation>流水线的阶段</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>正在开始</translation>
    </message>
    <message>
        <source>Step</source>
        <translation>步时</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>Steps of the plans over each other</source>
        <translation>各方案的步叠放对照</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop after {word}</source>
        <translation>完成此{word}后停止</translation>
    </message>
    <message>
        <source>Stop now</source>
        <translation>立即停止</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>表格</translation>
    </message>
    <message>
        <source>Temporaries</source>
        <translation>临时张量</translation>
    </message>
    <message>
        <source>The budget of a plan is shown here.</source>
        <translation>方案的显存预算会显示在这里。</translation>
    </message>
    <message>
        <source>The first three that are shown are drawn; all are in the table. The star marks edits that are not saved.</source>
        <translation>已显示的前三个会绘制出来；全部都在表格中。星号表示未保存的编辑。</translation>
    </message>
    <message>
        <source>The history is being read.</source>
        <translation>正在读取历史。</translation>
    </message>
    <message>
        <source>The line is what the last run measured.</source>
        <translation>线条是上次运行的实测值。</translation>
    </message>
    <message>
        <source>The median of the measured steps after the first</source>
        <translation>第一步之后各实测步时的中位数</translation>
    </message>
    <message>
        <source>The modules of a plan are drawn here once it is estimated.</source>
        <translation>方案估计完成后，其模块会绘制在这里。</translation>
    </message>
    <message>
        <source>The plan is locked while it runs. Edits you make now go to a copy.</source>
        <translation>运行期间方案已锁定。现在的编辑作用于副本。</translation>
    </message>
    <message>
        <source>The runs that are listed, to be pasted elsewhere</source>
        <translation>复制列出的运行，以便粘贴到别处</translation>
    </message>
    <message>
        <source>The same as a table (Alt+T)</source>
        <translation>以表格显示同样内容 (Alt+T)</translation>
    </message>
    <message>
        <source>The same as a table, the peak first (Alt+T)</source>
        <translation>以表格显示同样内容，峰值在前 (Alt+T)</translation>
    </message>
    <message>
        <source>The same gradients as this plan’s, but for rounding in another order.</source>
        <translation>梯度与此方案相同，只是舍入顺序不同。</translation>
    </message>
    <message>
        <source>The source holds parameters only, so there is no step to show.</source>
        <translation>来源只有参数，因此没有可显示的步。</translation>
    </message>
    <message>
        <source>The timeline of a plan’s step is shown here once it is estimated.</source>
        <translation>方案估计完成后，其步的时间线会显示在这里。</translation>
    </message>
    <message>
        <source>The whole report, as a table of plain numbers</source>
        <translation>整份报告，纯数字表格</translation>
    </message>
    <message>
        <source>The whole table, to be pasted elsewhere</source>
        <translation>复制整个表格，以便粘贴到别处</translation>
    </message>
    <message>
        <source>There is no “{key}”: did you mean “{near}”?</source>
        <translation>没有“{key}”：你是否想用“{near}”？</translation>
    </message>
    <message>
        <source>There is no “{key}”: use name, type, dtype, trainable or size.</source>
        <translation>没有“{key}”：请用 name、type、dtype、trainable 或 size。</translation>
    </message>
    <message>
        <source>This is the plan as it is.</source>
        <translation>这就是当前方案。</translation>
    </message>
    <message>
        <source>This plan</source>
        <translation>当前方案</translation>
    </message>
    <message>
        <source>This plan’s predicted peak is {size}, {error} against the recorded one.</source>
        <translation>此方案的预测峰值为 {size}，与记录值相差 {error}。</translation>
    </message>
    <message>
        <source>This step</source>
        <translation>这一步</translation>
    </message>
    <message>
        <source>This {word}</source>
        <translation>这一{word}</translation>
    </message>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Time of each, median</source>
        <translation>各步时间，中位数</translation>
    </message>
    <message>
        <source>Timeline as a table, the peak first</source>
        <translation>表格形式的时间线，峰值在前</translation>
    </message>
    <message>
        <source>Timeline of one step</source>
        <translation>一步的时间线</translation>
    </message>
    <message>
        <source>Timeline shows</source>
        <translation>时间线显示</translation>
    </message>
    <message>
        <source>To spare</source>
        <translation>余量</translation>
    </message>
    <message>
        <source>Tokens per second</source>
        <translation>每秒 token 数</translation>
    </message>
    <message>
        <source>Too large for the host: {size} missing</source>
        <translation>主机放不下：缺 {size}</translation>
    </message>
    <message>
        <source>Total</source>
        <translation>合计</translation>
    </message>
    <message>
        <source>Type</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>取消固定</translation>
    </message>
    <message>
        <source>Unpin {title}</source>
        <translation>取消固定“{title}”</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>采用</translation>
    </message>
    <message>
        <source>Use the plan {name}</source>
        <translation>采用方案 {name}</translation>
    </message>
    <message>
        <source>Use this plan</source>
        <translation>采用此方案</translation>
    </message>
    <message>
        <source>Use, duplicate, rename, pin or delete the selected plan</source>
        <translation>采用、复制、重命名、固定或删除选中的方案</translation>
    </message>
    <message>
        <source>Verdict</source>
        <translation>结论</translation>
    </message>
    <message>
        <source>Weights</source>
        <translation>权重</translation>
    </message>
    <message>
        <source>What a plan may put into the memory of the machine with the card</source>
        <translation>方案可放入显卡所在机器内存中的量</translation>
    </message>
    <message>
        <source>What a run does is listed here.</source>
        <translation>运行所做的事会列在这里。</translation>
    </message>
    <message>
        <source>What compression costs, by layer</source>
        <translation>逐层的压缩代价</translation>
    </message>
    <message>
        <source>What happened</source>
        <translation>发生了什么</translation>
    </message>
    <message>
        <source>What it changes</source>
        <translation>它改变什么</translation>
    </message>
    <message>
        <source>What the width stands for</source>
        <translation>宽度代表什么</translation>
    </message>
    <message>
        <source>Whole</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Whole device</source>
        <translation>整个设备</translation>
    </message>
    <message>
        <source>Whole history</source>
        <translation>全部历史</translation>
    </message>
    <message>
        <source>Whole run</source>
        <translation>整个运行</translation>
    </message>
    <message>
        <source>Whole step</source>
        <translation>整步</translation>
    </message>
    <message>
        <source>Whole {word}</source>
        <translation>整个{word}</translation>
    </message>
    <message>
        <source>Why the fullest is</source>
        <translation>最满的为什么最满</translation>
    </message>
    <message>
        <source>Why this rank</source>
        <translation>为什么是这个 rank</translation>
    </message>
    <message>
        <source>Width is bytes. Click or Return zooms in, Backspace goes up, Space selects.</source>
        <translation>宽度代表字节数。单击或 Return 放大，Backspace 返回上级，空格选中。</translation>
    </message>
    <message>
        <source>With several cards, this explains the fullest one, or the one you select.</source>
        <translation>有多张卡时，这里说明最满的一张，或你选中的一张。</translation>
    </message>
    <message>
        <source>Within nodes</source>
        <translation>节点内</translation>
    </message>
    <message>
        <source>Words are looked for in names and types. Terms, all of which have to hold:&lt;br&gt;&lt;b&gt;name:&lt;/b&gt;mlp, &lt;b&gt;type:&lt;/b&gt;Linear, &lt;b&gt;type=&lt;/b&gt;Linear (nothing longer)&lt;br&gt;&lt;b&gt;size&amp;gt;&lt;/b&gt;100MiB, &lt;b&gt;activations&amp;gt;=&lt;/b&gt;1GiB, and any other category&lt;br&gt;&lt;b&gt;dtype:&lt;/b&gt;bf16 and &lt;b&gt;trainable:&lt;/b&gt;yes, of a module’s own parameters&lt;br&gt;A comma means either: &lt;b&gt;type:&lt;/b&gt;Linear,Embedding. A minus turns a term round: &lt;b&gt;-name:&lt;/b&gt;lm_head</source>
        <translation>在名称和类型中查找这些词。各条件须同时满足：&lt;br&gt;&lt;b&gt;name:&lt;/b&gt;mlp，&lt;b&gt;type:&lt;/b&gt;Linear，&lt;b&gt;type=&lt;/b&gt;Linear（完全相同）&lt;br&gt;&lt;b&gt;size&amp;gt;&lt;/b&gt;100MiB，&lt;b&gt;activations&amp;gt;=&lt;/b&gt;1GiB，以及任何其他类别&lt;br&gt;&lt;b&gt;dtype:&lt;/b&gt;bf16 和 &lt;b&gt;trainable:&lt;/b&gt;yes，针对模块自身的参数&lt;br&gt;逗号表示“或”：&lt;b&gt;type:&lt;/b&gt;Linear,Embedding。减号表示取反：&lt;b&gt;-name:&lt;/b&gt;lm_head</translation>
    </message>
    <message>
        <source>Words of a row, such as LoRA 2026-01</source>
        <translation>行中的词，例如 LoRA 2026-01</translation>
    </message>
    <message>
        <source>Words of changes, such as 8-bit loss</source>
        <translation>更改中的词，例如 8-bit loss</translation>
    </message>
    <message>
        <source>a child process, pid {process_id}</source>
        <translation>子进程，pid {process_id}</translation>
    </message>
    <message>
        <source>a row is a stage</source>
        <translation>一行是一个阶段</translation>
    </message>
    <message>
        <source>after</source>
        <translation>之后</translation>
    </message>
    <message>
        <source>after, bytes</source>
        <translation>之后，字节</translation>
    </message>
    <message>
        <source>against {letter}</source>
        <translation>相对 {letter}</translation>
    </message>
    <message>
        <source>all</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>allocated {size}</source>
        <translation>已分配 {size}</translation>
    </message>
    <message>
        <source>and {count} more</source>
        <translation>以及另外 {count} 个</translation>
    </message>
    <message>
        <source>any size</source>
        <translation>任意大小</translation>
    </message>
    <message>
        <source>applying</source>
        <translation>试运行中</translation>
    </message>
    <message>
        <source>attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>baseline</source>
        <translation>基准</translation>
    </message>
    <message>
        <source>batch norm</source>
        <translation>批归一化</translation>
    </message>
    <message>
        <source>batch of the step</source>
        <translation>这一步的批次</translation>
    </message>
    <message>
        <source>before</source>
        <translation>之前</translation>
    </message>
    <message>
        <source>before, bytes</source>
        <translation>之前，字节</translation>
    </message>
    <message>
        <source>card {number}</source>
        <translation>卡 {number}</translation>
    </message>
    <message>
        <source>card {size}</source>
        <translation>显存 {size}</translation>
    </message>
    <message>
        <source>cast to {dtype}</source>
        <translation>转换为 {dtype}</translation>
    </message>
    <message>
        <source>choosing the next token</source>
        <translation>选择下一个 token</translation>
    </message>
    <message>
        <source>convolution</source>
        <translation>卷积</translation>
    </message>
    <message>
        <source>copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>copy, repeated</source>
        <translation>复制（重复）</translation>
    </message>
    <message>
        <source>device {size}</source>
        <translation>设备 {size}</translation>
    </message>
    <message>
        <source>difference</source>
        <translation>差</translation>
    </message>
    <message>
        <source>does not fit</source>
        <translation>放不下</translation>
    </message>
    <message>
        <source>driver {version}</source>
        <translation>驱动 {version}</translation>
    </message>
    <message>
        <source>dropout</source>
        <translation>dropout</translation>
    </message>
    <message>
        <source>each cell is a rank</source>
        <translation>每格是一个 rank</translation>
    </message>
    <message>
        <source>each row at its own moment</source>
        <translation>每行取各自的时刻</translation>
    </message>
    <message>
        <source>embedding</source>
        <translation>嵌入</translation>
    </message>
    <message>
        <source>error = (predicted − measured) / measured; triangle: 3 % and more; cross: cut short</source>
        <translation>误差 =（预测 − 实测）/ 实测；三角：3 % 及以上；叉：中途结束</translation>
    </message>
    <message>
        <source>error is predicted minus measured, over measured</source>
        <translation>误差为（预测 − 实测）/ 实测</translation>
    </message>
    <message>
        <source>error of the allocated peak {error}</source>
        <translation>已分配峰值的误差 {error}</translation>
    </message>
    <message>
        <source>error {error}</source>
        <translation>误差 {error}</translation>
    </message>
    <message>
        <source>event {event} of {events}</source>
        <translation>事件 {event} / {events}</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>fewest cards</source>
        <translation>最少的卡</translation>
    </message>
    <message>
        <source>file, bytes</source>
        <translation>文件，字节</translation>
    </message>
    <message>
        <source>filled: nothing is both smaller and faster at that risk</source>
        <translation>实心：在该风险下没有更小且更快的</translation>
    </message>
    <message>
        <source>filled: the smallest at that risk, as far as it is known</source>
        <translation>实心：在该风险下已知最小的</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>first layer</source>
        <translation>第一层</translation>
    </message>
    <message>
        <source>forward</source>
        <translation>前向</translation>
    </message>
    <message>
        <source>free {size}</source>
        <translation>空闲 {size}</translation>
    </message>
    <message>
        <source>from {first} to {last} in {count} steps</source>
        <translation>{count} 步中从 {first} 到 {last}</translation>
    </message>
    <message>
        <source>generation</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>gibibytes</source>
        <translation>GiB</translation>
    </message>
    <message>
        <source>group norm</source>
        <translation>组归一化</translation>
    </message>
    <message>
        <source>infinite</source>
        <translation>无穷大</translation>
    </message>
    <message>
        <source>input</source>
        <translation>输入</translation>
    </message>
    <message>
        <source>inputs</source>
        <translation>输入</translation>
    </message>
    <message>
        <source>is farther right</source>
        <translation>在更右侧</translation>
    </message>
    <message>
        <source>kind</source>
        <translation>类型</translation>
    </message>
    <message>
        <source>largest micro-batch</source>
        <translation>最大的微批次</translation>
    </message>
    <message>
        <source>last of {count}</source>
        <translation>共 {count} 层</translation>
    </message>
    <message>
        <source>layer</source>
        <translation>层</translation>
    </message>
    <message>
        <source>layer norm</source>
        <translation>层归一化</translation>
    </message>
    <message>
        <source>least loss of quality</source>
        <translation>质量损失最小</translation>
    </message>
    <message>
        <source>least memory</source>
        <translation>显存最少</translation>
    </message>
    <message>
        <source>likely {low} to {high}</source>
        <translation>可能为 {low} 至 {high}</translation>
    </message>
    <message>
        <source>linear</source>
        <translation>线性</translation>
    </message>
    <message>
        <source>log-softmax</source>
        <translation>log-softmax</translation>
    </message>
    <message>
        <source>longest sequence</source>
        <translation>最长的序列</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>损失</translation>
    </message>
    <message>
        <source>loss and optimizer step</source>
        <translation>损失与优化器步</translation>
    </message>
    <message>
        <source>mask</source>
        <translation>掩码</translation>
    </message>
    <message>
        <source>matmul</source>
        <translation>矩阵乘</translation>
    </message>
    <message>
        <source>max pooling</source>
        <translation>最大池化</translation>
    </message>
    <message>
        <source>mean</source>
        <translation>均值</translation>
    </message>
    <message>
        <source>mean loss</source>
        <translation>平均损失</translation>
    </message>
    <message>
        <source>measured</source>
        <translation>实测</translation>
    </message>
    <message>
        <source>measured on {data}: {count} {unit}</source>
        <translation>实测于 {data}：{count} {unit}</translation>
    </message>
    <message>
        <source>mebibytes</source>
        <translation>MiB</translation>
    </message>
    <message>
        <source>median error {error}</source>
        <translation>误差中位数 {error}</translation>
    </message>
    <message>
        <source>memory {size}</source>
        <translation>内存 {size}</translation>
    </message>
    <message>
        <source>memory, bytes</source>
        <translation>内存，字节</translation>
    </message>
    <message>
        <source>micro-batch of {word} {step}</source>
        <translation>{word} {step} 的微批次</translation>
    </message>
    <message>
        <source>micro-batch {number}</source>
        <translation>微批次 {number}</translation>
    </message>
    <message>
        <source>micro-batches {first} to {last}</source>
        <translation>微批次 {first} 至 {last}</translation>
    </message>
    <message>
        <source>minus </source>
        <translation>减 </translation>
    </message>
    <message>
        <source>never changed</source>
        <translation>从不改变</translation>
    </message>
    <message>
        <source>new tensor</source>
        <translation>新张量</translation>
    </message>
    <message>
        <source>no layer kept its shape</source>
        <translation>没有层保持原来的形状</translation>
    </message>
    <message>
        <source>no module found</source>
        <translation>没有找到模块</translation>
    </message>
    <message>
        <source>node {node}</source>
        <translation>节点 {node}</translation>
    </message>
    <message>
        <source>nodes {first} to {last}</source>
        <translation>节点 {first} 至 {last}</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>尚无</translation>
    </message>
    <message>
        <source>not a number</source>
        <translation>非数字</translation>
    </message>
    <message>
        <source>not given</source>
        <translation>未给出</translation>
    </message>
    <message>
        <source>not in a module</source>
        <translation>不属于任何模块</translation>
    </message>
    <message>
        <source>not known here</source>
        <translation>此处未知</translation>
    </message>
    <message>
        <source>not measured</source>
        <translation>未测量</translation>
    </message>
    <message>
        <source>not measured yet</source>
        <translation>尚未测量</translation>
    </message>
    <message>
        <source>not recorded</source>
        <translation>未记录</translation>
    </message>
    <message>
        <source>not shown</source>
        <translation>未显示</translation>
    </message>
    <message>
        <source>nothing</source>
        <translation>无</translation>
    </message>
    <message>
        <source>nothing to spare</source>
        <translation>没有余量</translation>
    </message>
    <message>
        <source>now</source>
        <translation>现在</translation>
    </message>
    <message>
        <source>of libraries</source>
        <translation>属于库</translation>
    </message>
    <message>
        <source>one block of {blocks}: {text}</source>
        <translation>{blocks} 个块之一：{text}</translation>
    </message>
    <message>
        <source>one of {count} alike</source>
        <translation>{count} 个相同之一</translation>
    </message>
    <message>
        <source>options changed (time is not known on this device)</source>
        <translation>更改的选项数（此设备上时间未知）</translation>
    </message>
    <message>
        <source>out of memory</source>
        <translation>显存不足</translation>
    </message>
    <message>
        <source>output</source>
        <translation>输出</translation>
    </message>
    <message>
        <source>output error</source>
        <translation>输出误差</translation>
    </message>
    <message>
        <source>own operations</source>
        <translation>自身的操作</translation>
    </message>
    <message>
        <source>padding</source>
        <translation>填充</translation>
    </message>
    <message>
        <source>peak memory, GiB</source>
        <translation>峰值显存，GiB</translation>
    </message>
    <message>
        <source>peak {peak}</source>
        <translation>峰值 {peak}</translation>
    </message>
    <message>
        <source>perplexity</source>
        <translation>困惑度</translation>
    </message>
    <message>
        <source>phases of {word} {step}</source>
        <translation>{word} {step} 的各阶段</translation>
    </message>
    <message>
        <source>plus </source>
        <translation>加 </translation>
    </message>
    <message>
        <source>power</source>
        <translation>幂</translation>
    </message>
    <message>
        <source>predicted</source>
        <translation>预测</translation>
    </message>
    <message>
        <source>predicted peak {size}</source>
        <translation>预测峰值 {size}</translation>
    </message>
    <message>
        <source>predicted {predicted}</source>
        <translation>预测 {predicted}</translation>
    </message>
    <message>
        <source>price {price}</source>
        <translation>价格 {price}</translation>
    </message>
    <message>
        <source>process {size}</source>
        <translation>进程 {size}</translation>
    </message>
    <message>
        <source>product</source>
        <translation>乘积</translation>
    </message>
    <message>
        <source>quotient</source>
        <translation>商</translation>
    </message>
    <message>
        <source>rank {rank}</source>
        <translation>rank {rank}</translation>
    </message>
    <message>
        <source>rank {rank} {size}</source>
        <translation>rank {rank} {size}</translation>
    </message>
    <message>
        <source>ranks {first} to {last}</source>
        <translation>rank {first} 至 {last}</translation>
    </message>
    <message>
        <source>ranks {first}, {second} … {last}</source>
        <translation>rank {first}、{second} … {last}</translation>
    </message>
    <message>
        <source>reserved {size}</source>
        <translation>预留 {size}</translation>
    </message>
    <message>
        <source>same memory</source>
        <translation>显存不变</translation>
    </message>
    <message>
        <source>same time</source>
        <translation>时间不变</translation>
    </message>
    <message numerus="yes">
        <source>samples</source>
        <comment>sample</comment>
        <translation>
            <numerusform>样本</numerusform>
        </translation>
    </message>
    <message>
        <source>scalar</source>
        <translation>标量</translation>
    </message>
    <message>
        <source>seconds for {words}</source>
        <translation>{words} 所需秒数</translation>
    </message>
    <message>
        <source>seconds per step of {words}</source>
        <translation>每步（{words}）秒数</translation>
    </message>
    <message>
        <source>shortest step</source>
        <translation>步时最短</translation>
    </message>
    <message>
        <source>shown as {letter}</source>
        <translation>显示为 {letter}</translation>
    </message>
    <message>
        <source>smallest card that fits</source>
        <translation>放得下的最小的卡</translation>
    </message>
    <message>
        <source>softmax</source>
        <translation>softmax</translation>
    </message>
    <message>
        <source>stage {stage}</source>
        <translation>阶段 {stage}</translation>
    </message>
    <message>
        <source>stage {stage}: block {start}</source>
        <translation>阶段 {stage}：块 {start}</translation>
    </message>
    <message>
        <source>stage {stage}: {start} to {end}</source>
        <translation>阶段 {stage}：{start} 至 {end}</translation>
    </message>
    <message>
        <source>stage {stage}: {text}</source>
        <translation>阶段 {stage}：{text}</translation>
    </message>
    <message>
        <source>step</source>
        <translation>步</translation>
    </message>
    <message>
        <source>step {step}</source>
        <translation>第 {step} 步</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>stopping</source>
        <translation>正在停止</translation>
    </message>
    <message>
        <source>takes no tokens</source>
        <translation>不处理 token</translation>
    </message>
    <message>
        <source>the fullest</source>
        <translation>最满的</translation>
    </message>
    <message>
        <source>the whole model</source>
        <translation>整个模型</translation>
    </message>
    <message>
        <source>this card</source>
        <translation>这张卡</translation>
    </message>
    <message>
        <source>this machine</source>
        <translation>本机</translation>
    </message>
    <message>
        <source>this plan</source>
        <translation>当前方案</translation>
    </message>
    <message>
        <source>tokens</source>
        <translation>token</translation>
    </message>
    <message>
        <source>under 1 ms</source>
        <translation>不到 1 ms</translation>
    </message>
    <message>
        <source>what is free</source>
        <translation>空闲的部分</translation>
    </message>
    <message>
        <source>workspaces</source>
        <translation>工作区</translation>
    </message>
    <message>
        <source>zeros</source>
        <translation>零</translation>
    </message>
    <message>
        <source>{accuracy} in {runs}</source>
        <translation>{runs}，{accuracy}</translation>
    </message>
    <message>
        <source>{axis}, logarithmic</source>
        <translation>{axis}，对数</translation>
    </message>
    <message>
        <source>{count} alike</source>
        <translation>{count} 个相同</translation>
    </message>
    <message>
        <source>{count} blocks</source>
        <translation>{count} 个块</translation>
    </message>
    <message numerus="yes">
        <source>{count} fit</source>
        <comment>{count} fits</comment>
        <translation>
            <numerusform>{count} 个放得下</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{count} forwards</source>
        <comment>{count} forward</comment>
        <translation>
            <numerusform>{count} 次前向</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{count} generations</source>
        <comment>{count} generation</comment>
        <translation>
            <numerusform>{count} 次生成</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} layers</source>
        <translation>{count} 层</translation>
    </message>
    <message>
        <source>{count} layers, the largest {largest}</source>
        <translation>{count} 层，最大的是{largest}</translation>
    </message>
    <message numerus="yes">
        <source>{count} modules</source>
        <comment>{count} module</comment>
        <translation>
            <numerusform>{count} 个模块</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} more differ by less</source>
        <translation>另有 {count} 个差异更小</translation>
    </message>
    <message>
        <source>{count} narrow parts of {above}</source>
        <translation>{above} 的 {count} 个过窄部分</translation>
    </message>
    <message>
        <source>{count} plans</source>
        <translation>{count} 个方案</translation>
    </message>
    <message>
        <source>{count} ranks below pid {process_id}</source>
        <translation>pid {process_id} 下的 {count} 个 rank</translation>
    </message>
    <message numerus="yes">
        <source>{count} runs</source>
        <comment>{count} run</comment>
        <translation>
            <numerusform>{count} 次运行</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>{count} runs cannot be read by this version and are left out.</source>
        <comment>{count} run cannot be read by this version and is left out.</comment>
        <translation>
            <numerusform>{count} 次运行无法被此版本读取，已略去。</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} smaller</source>
        <translation>{count} 个更小的</translation>
    </message>
    <message numerus="yes">
        <source>{count} steps</source>
        <comment>{count} step</comment>
        <translation>
            <numerusform>{count} 步</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} ways</source>
        <translation>{count} 种做法</translation>
    </message>
    <message>
        <source>{device}, most by {code}</source>
        <translation>{device}，最多来自 {code}</translation>
    </message>
    <message>
        <source>{done} of {all} done</source>
        <translation>已完成 {done} / {all}</translation>
    </message>
    <message>
        <source>{events} allocations and frees in {time}.</source>
        <translation>{time} 内 {events} 次分配与释放。</translation>
    </message>
    <message>
        <source>{events} allocations and frees.</source>
        <translation>{events} 次分配与释放。</translation>
    </message>
    <message>
        <source>{first} to {last}</source>
        <translation>{first} 至 {last}</translation>
    </message>
    <message>
        <source>{found} found</source>
        <translation>找到 {found} 个</translation>
    </message>
    <message>
        <source>{gone}, about {time} left</source>
        <translation>{gone}，约剩 {time}</translation>
    </message>
    <message>
        <source>{host} in host memory; {place}</source>
        <translation>主机内存中 {host}；{place}</translation>
    </message>
    <message>
        <source>{host} of the host’s memory</source>
        <translation>主机内存 {host}</translation>
    </message>
    <message>
        <source>{kept} in flight</source>
        <translation>在途 {kept}</translation>
    </message>
    <message>
        <source>{least} to {most}</source>
        <translation>{least} 至 {most}</translation>
    </message>
    <message>
        <source>{limit}, above</source>
        <translation>{limit}，在上方</translation>
    </message>
    <message>
        <source>{machine} keeps no runs yet. Apply (Ctrl R) runs the plan there for a few real steps; what it measures is kept there, and stands here beside what was predicted.</source>
        <translation>{machine} 尚未保留任何运行。“试运行”(Ctrl R) 在那里把方案真实运行几步；测得的结果保留在那里，并在这里与预测并列。</translation>
    </message>
    <message>
        <source>{many} plans tried in {time}, {fit}</source>
        <translation>{time} 内尝试了 {many} 个方案，{fit}</translation>
    </message>
    <message>
        <source>{many} plans tried in {time}, {fit}; stopped</source>
        <translation>{time} 内尝试了 {many} 个方案，{fit}；已停止</translation>
    </message>
    <message>
        <source>{median}, worst {worst}</source>
        <translation>{median}，最差 {worst}</translation>
    </message>
    <message>
        <source>{missing} were missing.</source>
        <translation>缺少 {missing}。</translation>
    </message>
    <message>
        <source>{module}.{title}, {count} alike blocks</source>
        <translation>{module}.{title}，{count} 个相同的块</translation>
    </message>
    <message>
        <source>{name} and {count} like it</source>
        <translation>{name} 及另外 {count} 个相同的</translation>
    </message>
    <message>
        <source>{name} before and after</source>
        <translation>{name}：之前与之后</translation>
    </message>
    <message>
        <source>{name}, {output_error:.2g} percent</source>
        <translation>{name}，{output_error:.2g}%</translation>
    </message>
    <message>
        <source>{older} older not shown.</source>
        <translation>未显示更早的 {older} 次。</translation>
    </message>
    <message>
        <source>{part}, {size} less than predicted.</source>
        <translation>{part}：比预测少 {size}。</translation>
    </message>
    <message>
        <source>{part}, {size} more than predicted.</source>
        <translation>{part}：比预测多 {size}。</translation>
    </message>
    <message>
        <source>{peak} at the peak</source>
        <translation>峰值时 {peak}</translation>
    </message>
    <message>
        <source>{peak} of {memory}</source>
        <translation>{peak} / {memory}</translation>
    </message>
    <message>
        <source>{peak}, {likely}</source>
        <translation>{peak}，{likely}</translation>
    </message>
    <message>
        <source>{phase} of {module}</source>
        <translation>{module} 的{phase}</translation>
    </message>
    <message>
        <source>{plan} peaks at {peak}</source>
        <translation>{plan} 的峰值为 {peak}</translation>
    </message>
    <message>
        <source>{plan} peaks at {peak} in {phase}</source>
        <translation>{plan} 在{phase}的峰值为 {peak}</translation>
    </message>
    <message>
        <source>{ranks}, stage {stage}, {spare}, {of_capacity}</source>
        <translation>{ranks}，阶段 {stage}，{spare}，{of_capacity}</translation>
    </message>
    <message>
        <source>{runs} cut short</source>
        <translation>{runs}中途结束</translation>
    </message>
    <message>
        <source>{seconds} per step</source>
        <translation>每步 {seconds}</translation>
    </message>
    <message>
        <source>{sent} in {calls} calls</source>
        <translation>{calls} 次调用共 {sent}</translation>
    </message>
    <message>
        <source>{share} of {whole}</source>
        <translation>{whole} 的 {share}</translation>
    </message>
    <message>
        <source>{share} time</source>
        <translation>时间 {share}</translation>
    </message>
    <message>
        <source>{size} allocated</source>
        <translation>已分配 {size}</translation>
    </message>
    <message>
        <source>{size} margin</source>
        <translation>余量 {size}</translation>
    </message>
    <message>
        <source>{size} measured</source>
        <translation>实测 {size}</translation>
    </message>
    <message>
        <source>{size} missing</source>
        <translation>缺 {size}</translation>
    </message>
    <message>
        <source>{size} more than the card has</source>
        <translation>比这张卡多 {size}</translation>
    </message>
    <message>
        <source>{size} of {part}</source>
        <translation>{part} {size}</translation>
    </message>
    <message>
        <source>{size} predicted</source>
        <translation>预测 {size}</translation>
    </message>
    <message>
        <source>{size} reserved</source>
        <translation>预留 {size}</translation>
    </message>
    <message>
        <source>{size} stood before the history began.</source>
        <translation>历史开始之前已有 {size}。</translation>
    </message>
    <message>
        <source>{size} taken</source>
        <translation>占用 {size}</translation>
    </message>
    <message>
        <source>{size} to spare</source>
        <translation>余 {size}</translation>
    </message>
    <message>
        <source>{steps} done</source>
        <translation>已完成的{steps}</translation>
    </message>
    <message>
        <source>{time} at the links’ full rate: an estimate, not measured.</source>
        <translation>按链路满速需 {time}：为估计值，未实测。</translation>
    </message>
    <message>
        <source>{time} at the links’ full rate: an estimate, not measured; a rate is missing for the rest.</source>
        <translation>按链路满速需 {time}：为估计值，未实测；其余缺少速率。</translation>
    </message>
    <message>
        <source>{time} gone</source>
        <translation>已过 {time}</translation>
    </message>
    <message>
        <source>{time} per step, {risk}</source>
        <translation>每步 {time}，{risk}</translation>
    </message>
    <message>
        <source>{title}, {place}, {total} allocated</source>
        <translation>{title}，{place}，已分配 {total}</translation>
    </message>
    <message>
        <source>{title}: click to zoom in</source>
        <translation>{title}：单击放大</translation>
    </message>
    <message>
        <source>{tried} of {possible}</source>
        <translation>{tried} / {possible}</translation>
    </message>
    <message>
        <source>{unit} per second</source>
        <translation>每秒 {unit}</translation>
    </message>
    <message>
        <source>{what}, aligned with the prediction by phase</source>
        <translation>{what}，按阶段与预测对齐</translation>
    </message>
    <message>
        <source>{when}, on {name}</source>
        <translation>{when}，{name}</translation>
    </message>
    <message>
        <source>{when}, {model}, {plan}: predicted {predicted}, measured {measured}, error {error}</source>
        <translation>{when}，{model}，{plan}：预测 {predicted}，实测 {measured}，误差 {error}</translation>
    </message>
    <message>
        <source>{whole} of {capacity}</source>
        <translation>{whole} / {capacity}</translation>
    </message>
    <message>
        <source>{whole}, memory not known</source>
        <translation>{whole}，内存大小未知</translation>
    </message>
    <message>
        <source>{whole}; {cut}</source>
        <translation>{whole}；{cut}</translation>
    </message>
    <message>
        <source>{words}, fullest</source>
        <translation>{words}，最满</translation>
    </message>
    <message>
        <source>{words}, the fullest</source>
        <translation>{words}，最满的</translation>
    </message>
    <message>
        <source>{words}. Drag it, or use the arrow keys; by ten with Shift.</source>
        <translation>{words}。拖动它，或用方向键；按住 Shift 每次移动十个。</translation>
    </message>
    <message>
        <source>{words}; a stronger shade means less to spare</source>
        <translation>{words}；颜色越深余量越少</translation>
    </message>
    <message>
        <source>{word} {now} of {total}</source>
        <translation>第 {now} {word}，共 {total}</translation>
    </message>
    <message>
        <source>{word} {step}</source>
        <translation>{word} {step}</translation>
    </message>
    <message>
        <source>{word} {step} of {steps}</source>
        <translation>第 {step} {word}，共 {steps}</translation>
    </message>
    <message>
        <source>{word}, the last minute</source>
        <translation>{word}，最近一分钟</translation>
    </message>
    <message>
        <source>“{key}{sign}” needs a size after it, such as {key}{sign}100MiB.</source>
        <translation>“{key}{sign}”之后需要大小，例如 {key}{sign}100MiB。</translation>
    </message>
    <message>
        <source>“{key}{sign}” needs a word right after it, such as {key}:{example}.</source>
        <translation>“{key}{sign}”之后需要紧跟一个词，例如 {key}:{example}。</translation>
    </message>
    <message>
        <source>“{key}” is a size: compare it, such as {key}&gt;100MiB.</source>
        <translation>“{key}”是大小：请比较它，例如 {key}&gt;100MiB。</translation>
    </message>
    <message>
        <source>“{key}” is a word: write {key}: and what to look for.</source>
        <translation>“{key}”是词：请写 {key}: 和要查找的内容。</translation>
    </message>
    <message>
        <source>“{term}” looks for nothing: write a word, such as -mlp.</source>
        <translation>“{term}”不查找任何内容：请写一个词，例如 -mlp。</translation>
    </message>
    <message>
        <source>“{value}” is not a size: write it like {key}{sign}1.5GiB.</source>
        <translation>“{value}”不是大小：请写成 {key}{sign}1.5GiB 的形式。</translation>
    </message>
    <message>
        <source>“{wrong}” is no answer: write trainable:yes or trainable:no.</source>
        <translation>“{wrong}”不是有效答案：请写 trainable:yes 或 trainable:no。</translation>
    </message>
</context>
<context>
    <name>Window</name>
    <message>
        <source>/path/on/that/machine or ~/path</source>
        <translation>/那台机器上的/路径 或 ~/路径</translation>
    </message>
    <message numerus="yes">
        <source>; {count} notes</source>
        <comment>; {count} note</comment>
        <translation>
            <numerusform>；{count} 条说明</numerusform>
        </translation>
    </message>
    <message>
        <source>; {samples} tokens a step</source>
        <translation>；每步 {samples} 个 token</translation>
    </message>
    <message>
        <source>A Hugging Face name needs the network, or a model that was downloaded before. Of an importable, the callable is called for the module; its code runs in the engine process.</source>
        <translation>使用 Hugging Face 名称需要网络，或之前下载过的模型。对于可导入的对象，会调用它来得到模块；其代码在引擎进程中运行。</translation>
    </message>
    <message>
        <source>A path is looked up on {machine}.</source>
        <translation>路径在 {machine} 上查找。</translation>
    </message>
    <message>
        <source>A plan does not name a model.</source>
        <translation>方案不指定模型。</translation>
    </message>
    <message>
        <source>A plan here…</source>
        <translation>本机的方案…</translation>
    </message>
    <message>
        <source>A plan is running.</source>
        <translation>有方案正在运行。</translation>
    </message>
    <message>
        <source>A plan is running; stop it before another model is opened.</source>
        <translation>有方案正在运行；打开另一个模型之前请先停止它。</translation>
    </message>
    <message>
        <source>A plan of {model} was not saved when its window ended.</source>
        <translation>{model} 的一份方案在其窗口结束时没有保存。</translation>
    </message>
    <message>
        <source>A plan’s file of this machine</source>
        <translation>本机上的方案文件</translation>
    </message>
    <message>
        <source>A signal has stopped it; “kill -CONT {halted}” lets it go on. {kept}</source>
        <translation>一个信号使它停住；“kill -CONT {halted}”可让它继续。{kept}</translation>
    </message>
    <message>
        <source>About memplanner</source>
        <translation>关于 memplanner</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
    <message>
        <source>Already kept: {name}</source>
        <translation>已经保留：{name}</translation>
    </message>
    <message>
        <source>And {more} more: memplanner check lists all.</source>
        <translation>另有 {more} 项：memplanner check 会全部列出。</translation>
    </message>
    <message>
        <source>Apache License 2.0.</source>
        <translation>Apache License 2.0。</translation>
    </message>
    <message>
        <source>Apply again</source>
        <translation>再次试运行</translation>
    </message>
    <message>
        <source>Apply anyway</source>
        <translation>仍然试运行</translation>
    </message>
    <message>
        <source>Apply on {name}</source>
        <translation>在 {name} 上试运行</translation>
    </message>
    <message>
        <source>Apply the plan as it is now</source>
        <translation>按现在的方案试运行</translation>
    </message>
    <message>
        <source>Apr</source>
        <translation>4月</translation>
    </message>
    <message>
        <source>As exported, it {sentence}</source>
        <translation>按导出的内容，它{sentence}</translation>
    </message>
    <message>
        <source>As the section says: {summary}</source>
        <translation>与该部分一致：{summary}</translation>
    </message>
    <message>
        <source>Assign</source>
        <translation>指定</translation>
    </message>
    <message>
        <source>Aug</source>
        <translation>8月</translation>
    </message>
    <message>
        <source>Bringing the engine there</source>
        <translation>正在把引擎送过去</translation>
    </message>
    <message>
        <source>Bringing the engine to {where}</source>
        <translation>正在把引擎送到 {where}</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Cards a node</source>
        <translation>每节点卡数</translation>
    </message>
    <message>
        <source>Changes</source>
        <translation>更改</translation>
    </message>
    <message>
        <source>Changes of the plan, the last one below</source>
        <translation>方案的更改，最后一次在最下</translation>
    </message>
    <message>
        <source>Checkpoint: {words}</source>
        <translation>重计算：{words}</translation>
    </message>
    <message>
        <source>Choose</source>
        <translation>选择</translation>
    </message>
    <message>
        <source>Choose a change to have the plan as it was after it</source>
        <translation>选择一次更改，即可得到那次更改之后的方案</translation>
    </message>
    <message>
        <source>Choose a command above.</source>
        <translation>请在上方选择一个命令。</translation>
    </message>
    <message>
        <source>Choose a device</source>
        <translation>选择设备</translation>
    </message>
    <message>
        <source>Choose a folder for the compressed model</source>
        <translation>选择保存压缩模型的文件夹</translation>
    </message>
    <message>
        <source>Choose a text file…</source>
        <translation>选择文本文件…</translation>
    </message>
    <message>
        <source>Choose a text to train on</source>
        <translation>选择用于训练的文本</translation>
    </message>
    <message>
        <source>Choose another Python, or another machine, for the engine</source>
        <translation>为引擎选择另一个 Python 或另一台机器</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>选择…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close without saving</source>
        <translation>不保存就关闭</translation>
    </message>
    <message>
        <source>Closing ends it, and the plan has edits that no file has.</source>
        <translation>关闭会结束它，而且方案有未存入文件的编辑。</translation>
    </message>
    <message>
        <source>Closing ends it.</source>
        <translation>关闭会结束它。</translation>
    </message>
    <message>
        <source>Command</source>
        <translation>命令</translation>
    </message>
    <message>
        <source>Commands and their keys</source>
        <translation>命令及其快捷键</translation>
    </message>
    <message>
        <source>Commands, modules and options</source>
        <translation>命令、模块和选项</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>对比</translation>
    </message>
    <message>
        <source>Compute here</source>
        <translation>在此计算</translation>
    </message>
    <message>
        <source>Compute in this machine again</source>
        <translation>重新在本机计算</translation>
    </message>
    <message>
        <source>Compute in this machine, with this program’s own Python</source>
        <translation>在本机用本程序自带的 Python 计算</translation>
    </message>
    <message>
        <source>Connect again</source>
        <translation>重新连接</translation>
    </message>
    <message>
        <source>Connect to {machine} again</source>
        <translation>重新连接到 {machine}</translation>
    </message>
    <message>
        <source>Connecting to {where}</source>
        <translation>正在连接 {where}</translation>
    </message>
    <message>
        <source>Context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy this figure</source>
        <translation>复制此数字</translation>
    </message>
    <message>
        <source>Data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>Data parallel</source>
        <translation>数据并行</translation>
    </message>
    <message>
        <source>Dec</source>
        <translation>12月</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>详情</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Devices</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>丢弃</translation>
    </message>
    <message>
        <source>Drag the files out</source>
        <translation>拖出文件</translation>
    </message>
    <message>
        <source>Drag this to a folder or a program to copy the files</source>
        <translation>把它拖到文件夹或程序即可复制文件</translation>
    </message>
    <message>
        <source>Dry run</source>
        <translation>预演</translation>
    </message>
    <message>
        <source>Edits you make now go to a copy.</source>
        <translation>现在的编辑作用于副本。</translation>
    </message>
    <message>
        <source>End it and start another; the model is opened again</source>
        <translation>结束它并另启动一个；模型会重新打开</translation>
    </message>
    <message>
        <source>Engine has ended</source>
        <translation>引擎已结束</translation>
    </message>
    <message>
        <source>Engine is starting</source>
        <translation>引擎正在启动</translation>
    </message>
    <message>
        <source>Engine is stopped</source>
        <translation>引擎已停止</translation>
    </message>
    <message>
        <source>Engine log</source>
        <translation>引擎日志</translation>
    </message>
    <message>
        <source>Engine: Python {python}, {torch}</source>
        <translation>引擎：Python {python}，{torch}</translation>
    </message>
    <message>
        <source>Engine: {where}, {torch}</source>
        <translation>引擎：{where}，{torch}</translation>
    </message>
    <message>
        <source>Estimating</source>
        <translation>正在估计</translation>
    </message>
    <message>
        <source>Every plan that is worth a look</source>
        <translation>每个值得一看的方案</translation>
    </message>
    <message>
        <source>Expert</source>
        <translation>专家</translation>
    </message>
    <message>
        <source>Export the plan</source>
        <translation>导出方案</translation>
    </message>
    <message>
        <source>Feb</source>
        <translation>2月</translation>
    </message>
    <message>
        <source>Files</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Filter commands or keys</source>
        <translation>筛选命令或快捷键</translation>
    </message>
    <message>
        <source>Filter options</source>
        <translation>筛选选项</translation>
    </message>
    <message>
        <source>First plan</source>
        <translation>第一个方案</translation>
    </message>
    <message>
        <source>Generated data of the planned shape</source>
        <translation>按规划形状生成的数据</translation>
    </message>
    <message>
        <source>Global batch {samples} = micro-batch {batch_size} × accumulation {accumulation} × data {data}</source>
        <translation>全局批次 {samples} = 微批次 {batch_size} × 累积 {accumulation} × 数据并行 {data}</translation>
    </message>
    <message>
        <source>Go on waiting for its answer</source>
        <translation>继续等待它的应答</translation>
    </message>
    <message>
        <source>History</source>
        <translation>历史</translation>
    </message>
    <message>
        <source>Icicle</source>
        <translation>冰柱图</translation>
    </message>
    <message>
        <source>In this machine</source>
        <translation>在本机</translation>
    </message>
    <message>
        <source>Inputs of its forward: name=shape:type, with spaces between</source>
        <translation>其前向的输入：name=shape:type，以空格分隔</translation>
    </message>
    <message>
        <source>Inputs of the forward</source>
        <translation>前向的输入</translation>
    </message>
    <message>
        <source>It does not name a model.</source>
        <translation>它不指定模型。</translation>
    </message>
    <message>
        <source>It happened in {where}.</source>
        <translation>发生在 {where}。</translation>
    </message>
    <message>
        <source>It has been started again, with the model and the plan as they were.</source>
        <translation>已重新启动，模型和方案保持原样。</translation>
    </message>
    <message>
        <source>It has {edits}, kept {when}.</source>
        <translation>它有 {edits}，保留于 {when}。</translation>
    </message>
    <message>
        <source>It has {edits}, the last “{change}”, kept {when}.</source>
        <translation>它有 {edits}，最后一次是“{change}”，保留于 {when}。</translation>
    </message>
    <message>
        <source>It is a plan of {model}; open that model to use or compare it.</source>
        <translation>这是 {model} 的方案；打开该模型即可采用或对比它。</translation>
    </message>
    <message>
        <source>It may hang; starting it again opens the model anew. {kept}</source>
        <translation>它可能卡住了；重新启动会再次打开模型。{kept}</translation>
    </message>
    <message>
        <source>It would run in the engine process with your rights to files and network; agree only if you know where it is from.</source>
        <translation>它会在引擎进程中以你对文件和网络的权限运行；只有知道其来源时才同意。</translation>
    </message>
    <message>
        <source>It, or the connection, may hang. {kept}</source>
        <translation>它或连接可能卡住了。{kept}</translation>
    </message>
    <message>
        <source>Jan</source>
        <translation>1月</translation>
    </message>
    <message>
        <source>Jul</source>
        <translation>7月</translation>
    </message>
    <message>
        <source>Jun</source>
        <translation>6月</translation>
    </message>
    <message>
        <source>Keep activations</source>
        <translation>保留激活值</translation>
    </message>
    <message>
        <source>Keep again</source>
        <translation>重新保留</translation>
    </message>
    <message>
        <source>Keep in bits: {words}</source>
        <translation>保存位数：{words}</translation>
    </message>
    <message>
        <source>Keep it again under the same name</source>
        <translation>以同样的名称重新保留</translation>
    </message>
    <message>
        <source>Kept for comparing: {name}</source>
        <translation>已保留以供对比：{name}</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
    <message>
        <source>Layers</source>
        <translation>层</translation>
    </message>
    <message>
        <source>Leave it</source>
        <translation>不要它</translation>
    </message>
    <message>
        <source>Leave out of quantization</source>
        <translation>不量化</translation>
    </message>
    <message>
        <source>Leave unpruned</source>
        <translation>不剪枝</translation>
    </message>
    <message>
        <source>Live</source>
        <translation>实时</translation>
    </message>
    <message>
        <source>Looking for devices…</source>
        <translation>正在查找设备…</translation>
    </message>
    <message>
        <source>Looking for the smallest change.</source>
        <translation>正在寻找最小改动。</translation>
    </message>
    <message>
        <source>Mar</source>
        <translation>3月</translation>
    </message>
    <message>
        <source>Matches</source>
        <translation>匹配项</translation>
    </message>
    <message>
        <source>May</source>
        <translation>5月</translation>
    </message>
    <message>
        <source>Measured, allocated</source>
        <translation>实测，已分配</translation>
    </message>
    <message>
        <source>Memory snapshots (*.pickle *.pkl *.snapshot);;All files (*)</source>
        <translation>显存快照 (*.pickle *.pkl *.snapshot);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Menu</source>
        <translation>菜单</translation>
    </message>
    <message>
        <source>Mesh of cards</source>
        <translation>卡的网格</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Models, plans and trainers’ files (*.json *.safetensors *.gguf *.py *.pt *.pth *.bin *.ckpt *.pt2 *.onnx *.keras *.h5 *.yaml *.yml *.sh);;All files (*)</source>
        <translation>模型、方案和训练框架的文件 (*.json *.safetensors *.gguf *.py *.pt *.pth *.bin *.ckpt *.pt2 *.onnx *.keras *.h5 *.yaml *.yml *.sh);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Module</source>
        <translation>模块</translation>
    </message>
    <message>
        <source>More plans…</source>
        <translation>更多方案…</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Name of the model</source>
        <translation>模型的名称</translation>
    </message>
    <message>
        <source>New keys</source>
        <translation>新快捷键</translation>
    </message>
    <message>
        <source>No change that a search tries makes this plan fit this device.</source>
        <translation>搜索尝试的改动都无法让此方案放进此设备。</translation>
    </message>
    <message>
        <source>No change that gives the same result is faster.</source>
        <translation>没有结果相同且更快的改动。</translation>
    </message>
    <message>
        <source>No device has “{said}” in its name.</source>
        <translation>没有设备的名称包含“{said}”。</translation>
    </message>
    <message>
        <source>No devices yet.</source>
        <translation>尚无设备。</translation>
    </message>
    <message>
        <source>No estimate yet</source>
        <translation>尚无估计</translation>
    </message>
    <message>
        <source>No model open</source>
        <translation>没有打开模型</translation>
    </message>
    <message>
        <source>Nodes</source>
        <translation>节点</translation>
    </message>
    <message>
        <source>Not connected to {where}</source>
        <translation>未连接到 {where}</translation>
    </message>
    <message>
        <source>Not estimated yet.</source>
        <translation>尚未估计。</translation>
    </message>
    <message>
        <source>Nothing has these words.</source>
        <translation>没有内容包含这些词。</translation>
    </message>
    <message>
        <source>Nothing opened yet</source>
        <translation>尚未打开过任何内容</translation>
    </message>
    <message>
        <source>Nov</source>
        <translation>11月</translation>
    </message>
    <message>
        <source>Oct</source>
        <translation>10月</translation>
    </message>
    <message>
        <source>One optimizer step</source>
        <translation>一个优化器步</translation>
    </message>
    <message>
        <source>One round</source>
        <translation>一轮</translation>
    </message>
    <message>
        <source>One step</source>
        <translation>一步</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>Open a memory snapshot</source>
        <translation>打开显存快照</translation>
    </message>
    <message>
        <source>Open a model folder</source>
        <translation>打开模型文件夹</translation>
    </message>
    <message>
        <source>Open a model or a plan</source>
        <translation>打开模型或方案</translation>
    </message>
    <message>
        <source>Open a plan</source>
        <translation>打开方案</translation>
    </message>
    <message>
        <source>Open again</source>
        <translation>重新打开</translation>
    </message>
    <message>
        <source>Open by name</source>
        <translation>按名称打开</translation>
    </message>
    <message>
        <source>Open it again</source>
        <translation>重新打开它</translation>
    </message>
    <message>
        <source>Open its model</source>
        <translation>打开它的模型</translation>
    </message>
    <message>
        <source>Open on {machine}</source>
        <translation>在 {machine} 上打开</translation>
    </message>
    <message>
        <source>Open recent</source>
        <translation>打开最近的</translation>
    </message>
    <message>
        <source>Open the model that the snapshot is of first; it is shown beside its plan.</source>
        <translation>请先打开快照所属的模型；快照会显示在其方案旁边。</translation>
    </message>
    <message>
        <source>Open {source} once more, when that is put right</source>
        <translation>修正之后再次打开 {source}</translation>
    </message>
    <message>
        <source>Opening was stopped.</source>
        <translation>打开已停止。</translation>
    </message>
    <message>
        <source>Opening {source}</source>
        <translation>正在打开 {source}</translation>
    </message>
    <message>
        <source>Optimizer steps to run</source>
        <translation>要运行的优化器步数</translation>
    </message>
    <message>
        <source>Past run</source>
        <translation>历次运行</translation>
    </message>
    <message>
        <source>Path on {machine}</source>
        <translation>{machine} 上的路径</translation>
    </message>
    <message>
        <source>Paths are looked up on {machine}, where the engine runs.</source>
        <translation>路径在引擎所在的 {machine} 上查找。</translation>
    </message>
    <message>
        <source>Peak as exported: {peak}</source>
        <translation>按导出内容的峰值：{peak}</translation>
    </message>
    <message>
        <source>Pipeline</source>
        <translation>流水线</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Plan for another card</source>
        <translation>为另一张卡规划</translation>
    </message>
    <message>
        <source>Plan for {name}</source>
        <translation>为 {name} 规划</translation>
    </message>
    <message>
        <source>Plan menu</source>
        <translation>方案菜单</translation>
    </message>
    <message>
        <source>Plan the memory that training a model takes, before it runs.</source>
        <translation>在运行之前规划模型训练所需的显存。</translation>
    </message>
    <message>
        <source>Plans</source>
        <translation>方案</translation>
    </message>
    <message>
        <source>Plans (*.yaml *.yml)</source>
        <translation>方案 (*.yaml *.yml)</translation>
    </message>
    <message>
        <source>Press the keys that the command is to have.</source>
        <translation>请按下要给此命令的快捷键。</translation>
    </message>
    <message>
        <source>Press to choose where the engine runs</source>
        <translation>按下可选择引擎运行的位置</translation>
    </message>
    <message>
        <source>Progress</source>
        <translation>进度</translation>
    </message>
    <message>
        <source>Prune: only with single weights</source>
        <translation>剪枝：仅适用于单个权重</translation>
    </message>
    <message>
        <source>Prune: {words}</source>
        <translation>剪枝：{words}</translation>
    </message>
    <message>
        <source>Rank</source>
        <translation>Rank</translation>
    </message>
    <message>
        <source>Read it</source>
        <translation>读取</translation>
    </message>
    <message>
        <source>Read what the engine wrote</source>
        <translation>查看引擎写了什么</translation>
    </message>
    <message>
        <source>Recompute in backward</source>
        <translation>反向中重计算</translation>
    </message>
    <message>
        <source>Recompute in backward, instead of {summary}</source>
        <translation>反向中重计算，代替：{summary}</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Rename the plan</source>
        <translation>重命名方案</translation>
    </message>
    <message>
        <source>Replace it</source>
        <translation>替换它</translation>
    </message>
    <message>
        <source>Replicas</source>
        <translation>副本</translation>
    </message>
    <message>
        <source>Report (*.html);;Report for paper (*.pdf);;Layer table (*.csv)</source>
        <translation>报告 (*.html);;打印用报告 (*.pdf);;层表格 (*.csv)</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>重置</translation>
    </message>
    <message>
        <source>Reset all</source>
        <translation>全部重置</translation>
    </message>
    <message>
        <source>Reset {title}</source>
        <translation>重置“{title}”</translation>
    </message>
    <message>
        <source>Restore</source>
        <translation>恢复</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>运行</translation>
    </message>
    <message>
        <source>Run its code</source>
        <translation>运行其代码</translation>
    </message>
    <message>
        <source>Run the code of {source}</source>
        <translation>运行 {source} 的代码</translation>
    </message>
    <message>
        <source>Run the plan on {whose} {name}</source>
        <translation>在{whose} {name} 上运行方案</translation>
    </message>
    <message>
        <source>Running on {name}, process {process_id}</source>
        <translation>正在 {name} 上运行，进程 {process_id}</translation>
    </message>
    <message>
        <source>Runs measured on this device</source>
        <translation>在此设备上实测的运行</translation>
    </message>
    <message>
        <source>Sample: {title}</source>
        <translation>示例：{title}</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Save a report</source>
        <translation>保存报告</translation>
    </message>
    <message>
        <source>Save nothing</source>
        <translation>不保存</translation>
    </message>
    <message>
        <source>Save the compressed model to…</source>
        <translation>把压缩后的模型保存到…</translation>
    </message>
    <message>
        <source>Save the export</source>
        <translation>保存导出内容</translation>
    </message>
    <message>
        <source>Save the plan</source>
        <translation>保存方案</translation>
    </message>
    <message>
        <source>Save the plan and close</source>
        <translation>保存方案并关闭</translation>
    </message>
    <message>
        <source>Save…</source>
        <translation>保存…</translation>
    </message>
    <message>
        <source>Saving would replace what it says now.</source>
        <translation>保存会替换它现在的内容。</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search commands and modules</source>
        <translation>搜索命令和模块</translation>
    </message>
    <message>
        <source>Search commands, modules and options</source>
        <translation>搜索命令、模块和选项</translation>
    </message>
    <message>
        <source>Search devices</source>
        <translation>搜索设备</translation>
    </message>
    <message>
        <source>Searching</source>
        <translation>正在搜索</translation>
    </message>
    <message>
        <source>Selected plan</source>
        <translation>选中的方案</translation>
    </message>
    <message>
        <source>Sensitivity</source>
        <translation>敏感度</translation>
    </message>
    <message>
        <source>Sep</source>
        <translation>9月</translation>
    </message>
    <message>
        <source>Sharding</source>
        <translation>分片</translation>
    </message>
    <message>
        <source>Show the log</source>
        <translation>显示日志</translation>
    </message>
    <message>
        <source>Show the plan that it has now; undo brings this one back</source>
        <translation>显示文件中现在的方案；撤销可恢复这一份</translation>
    </message>
    <message>
        <source>Start again</source>
        <translation>重新启动</translation>
    </message>
    <message>
        <source>Start it all the same; the engine’s process may be ended by the system</source>
        <translation>仍然启动；系统可能会结束引擎的进程</translation>
    </message>
    <message>
        <source>Start the engine again</source>
        <translation>重新启动引擎</translation>
    </message>
    <message>
        <source>Steps</source>
        <translation>步数</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop and close</source>
        <translation>停止并关闭</translation>
    </message>
    <message>
        <source>Stop the run and close</source>
        <translation>停止运行并关闭</translation>
    </message>
    <message>
        <source>Tensor</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>Text (*.txt *.md *.jsonl);;All files (*)</source>
        <translation>文本 (*.txt *.md *.jsonl);;所有文件 (*)</translation>
    </message>
    <message>
        <source>Text of the file</source>
        <translation>文件内容</translation>
    </message>
    <message>
        <source>The engine does not answer.</source>
        <translation>引擎没有应答。</translation>
    </message>
    <message>
        <source>The engine has been started again.</source>
        <translation>引擎已重新启动。</translation>
    </message>
    <message>
        <source>The engine has written nothing.</source>
        <translation>引擎没有写出任何内容。</translation>
    </message>
    <message>
        <source>The engine runs on {machine}, so that is where the path is looked up.</source>
        <translation>引擎在 {machine} 上运行，因此路径在那里查找。</translation>
    </message>
    <message>
        <source>The estimate was stopped.</source>
        <translation>估计已停止。</translation>
    </message>
    <message>
        <source>The file names {model}; {name} is open</source>
        <translation>文件指定的是 {model}；打开的是 {name}</translation>
    </message>
    <message>
        <source>The language changes when memplanner is opened again.</source>
        <translation>语言将在重新打开 memplanner 后更改。</translation>
    </message>
    <message>
        <source>The module keeps its input, and runs forward once more in backward.</source>
        <translation>该模块只保留输入，并在反向时再做一次前向。</translation>
    </message>
    <message>
        <source>The plan as it was opened</source>
        <translation>打开时的方案</translation>
    </message>
    <message>
        <source>The plan does not fit.</source>
        <translation>方案放不下。</translation>
    </message>
    <message>
        <source>The plan fits, and leaves something unused.</source>
        <translation>方案放得下，还有未用的部分。</translation>
    </message>
    <message>
        <source>The plan fits.</source>
        <translation>方案放得下。</translation>
    </message>
    <message>
        <source>The plan has edits that no file has.</source>
        <translation>方案有未存入文件的编辑。</translation>
    </message>
    <message>
        <source>The plan is as it was.</source>
        <translation>方案保持原样。</translation>
    </message>
    <message>
        <source>The plan is locked while it runs.</source>
        <translation>运行期间方案已锁定。</translation>
    </message>
    <message>
        <source>The plan is predicted to run out of memory: {missing} missing.</source>
        <translation>预测此方案会显存不足：缺 {missing}。</translation>
    </message>
    <message>
        <source>The plan is that of {name}, a file of {title}.</source>
        <translation>这是 {name}（{title} 文件）中的方案。</translation>
    </message>
    <message>
        <source>The plan may not fit.</source>
        <translation>方案可能放不下。</translation>
    </message>
    <message>
        <source>The plan may run out of memory: it takes up to {most}, and {free} is free.</source>
        <translation>方案可能显存不足：最多占用 {most}，空闲 {free}。</translation>
    </message>
    <message>
        <source>The run ended with its engine: {sentence}</source>
        <translation>运行随引擎一起结束：{sentence}</translation>
    </message>
    <message>
        <source>The same plan can be run on a device that is here, with figures of its own.</source>
        <translation>同一方案可以在此处的设备上运行，数字会有所不同。</translation>
    </message>
    <message>
        <source>The smallest changes with which it does:</source>
        <translation>能让它放得下的最小改动：</translation>
    </message>
    <message>
        <source>There is no estimate of this plan yet; the report is made of one.</source>
        <translation>此方案尚无估计；报告由估计生成。</translation>
    </message>
    <message>
        <source>This is a defect of memplanner; the engine&apos;s log (Window menu) has its trace.</source>
        <translation>这是 memplanner 的缺陷；引擎日志（“窗口”菜单）中有其跟踪信息。</translation>
    </message>
    <message>
        <source>This window has the plan of before.</source>
        <translation>此窗口中是之前的方案。</translation>
    </message>
    <message>
        <source>Timeline</source>
        <translation>时间线</translation>
    </message>
    <message>
        <source>Tool bar</source>
        <translation>工具栏</translation>
    </message>
    <message>
        <source>Unpin options, take a larger card, or several.</source>
        <translation>取消固定一些选项，换更大的卡，或用多张卡。</translation>
    </message>
    <message>
        <source>Use generated data</source>
        <translation>使用生成的数据</translation>
    </message>
    <message>
        <source>Used before</source>
        <translation>以前用过</translation>
    </message>
    <message>
        <source>Verdict and budget</source>
        <translation>结论与预算</translation>
    </message>
    <message>
        <source>Version {version}. Apache License 2.0.</source>
        <translation>版本 {version}。Apache License 2.0。</translation>
    </message>
    <message>
        <source>Views</source>
        <translation>视图</translation>
    </message>
    <message>
        <source>Wait</source>
        <translation>等待</translation>
    </message>
    <message>
        <source>What it cannot say</source>
        <translation>它无法表达的内容</translation>
    </message>
    <message>
        <source>What it would do: processes, limits, files and time; nothing is started</source>
        <translation>它会做什么：进程、限制、文件和时间；不会启动任何东西</translation>
    </message>
    <message>
        <source>What the other degrees leave: cards that see other samples</source>
        <translation>其他维度之外剩下的：处理其他样本的卡</translation>
    </message>
    <message>
        <source>What {target} cannot say</source>
        <translation>{target} 无法表达的内容</translation>
    </message>
    <message>
        <source>With the same result, sooner:</source>
        <translation>结果相同，更快：</translation>
    </message>
    <message>
        <source>Write for</source>
        <translation>导出为</translation>
    </message>
    <message>
        <source>Write this window’s plan over it</source>
        <translation>用此窗口的方案覆盖它</translation>
    </message>
    <message>
        <source>Written: {paths}</source>
        <translation>已写入：{paths}</translation>
    </message>
    <message>
        <source>Wrote {path}</source>
        <translation>已写入 {path}</translation>
    </message>
    <message>
        <source>activations kept</source>
        <translation>保留激活值</translation>
    </message>
    <message>
        <source>and sequence</source>
        <translation>和序列</translation>
    </message>
    <message>
        <source>applying</source>
        <translation>试运行中</translation>
    </message>
    <message>
        <source>as the section says</source>
        <translation>与该部分一致</translation>
    </message>
    <message>
        <source>at once</source>
        <translation>立即</translation>
    </message>
    <message>
        <source>bits for {budget}</source>
        <translation>{budget} 的位数</translation>
    </message>
    <message>
        <source>blocks of stages {counts}</source>
        <translation>阶段的块数 {counts}</translation>
    </message>
    <message>
        <source>can be {offered}</source>
        <translation>可以是 {offered}</translation>
    </message>
    <message>
        <source>cannot run</source>
        <translation>无法运行</translation>
    </message>
    <message>
        <source>chosen</source>
        <translation>已选择</translation>
    </message>
    <message>
        <source>context</source>
        <translation>上下文</translation>
    </message>
    <message>
        <source>data</source>
        <translation>数据</translation>
    </message>
    <message>
        <source>days</source>
        <translation>天</translation>
    </message>
    <message>
        <source>estimating</source>
        <translation>正在估计</translation>
    </message>
    <message>
        <source>estimating {count} plans</source>
        <translation>正在估计 {count} 个方案</translation>
    </message>
    <message>
        <source>failed</source>
        <translation>失败</translation>
    </message>
    <message>
        <source>finished</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>found by a search</source>
        <translation>由搜索找到</translation>
    </message>
    <message>
        <source>from the run of {when}</source>
        <translation>来自 {when} 的运行</translation>
    </message>
    <message>
        <source>generated</source>
        <translation>生成的数据</translation>
    </message>
    <message>
        <source>in {seconds}</source>
        <translation>用时 {seconds}</translation>
    </message>
    <message>
        <source>interleaved</source>
        <translation>交错</translation>
    </message>
    <message>
        <source>it holds no settings</source>
        <translation>其中没有设置</translation>
    </message>
    <message>
        <source>it is no JSON</source>
        <translation>它不是 JSON</translation>
    </message>
    <message>
        <source>it is too large</source>
        <translation>它太大</translation>
    </message>
    <message>
        <source>kept {when}</source>
        <translation>保留于 {when}</translation>
    </message>
    <message>
        <source>likely {low} to {high}</source>
        <translation>可能为 {low} 至 {high}</translation>
    </message>
    <message>
        <source>likely {low} to {high} {unit}</source>
        <translation>可能为 {low} 至 {high} {unit}</translation>
    </message>
    <message>
        <source>measured here</source>
        <translation>此处实测</translation>
    </message>
    <message>
        <source>memory not known</source>
        <translation>内存大小未知</translation>
    </message>
    <message>
        <source>new plan</source>
        <translation>新方案</translation>
    </message>
    <message>
        <source>no error known</source>
        <translation>误差未知</translation>
    </message>
    <message>
        <source>no linear layer</source>
        <translation>没有线性层</translation>
    </message>
    <message>
        <source>no torch</source>
        <translation>无 torch</translation>
    </message>
    <message>
        <source>not pruned</source>
        <translation>未剪枝</translation>
    </message>
    <message>
        <source>not {where}</source>
        <translation>不{where}</translation>
    </message>
    <message>
        <source>nothing to recompute</source>
        <translation>没有可重计算的</translation>
    </message>
    <message>
        <source>of data</source>
        <translation>划分数据</translation>
    </message>
    <message>
        <source>of matrices</source>
        <translation>划分矩阵</translation>
    </message>
    <message>
        <source>of sequences</source>
        <translation>划分序列</translation>
    </message>
    <message>
        <source>of the catalogue, not {where}</source>
        <translation>来自目录，不{where}</translation>
    </message>
    <message>
        <source>of {count} shards</source>
        <translation>{count} 份分片</translation>
    </message>
    <message>
        <source>off</source>
        <translation>关</translation>
    </message>
    <message>
        <source>on {whose} {name}</source>
        <translation>在{whose} {name} 上</translation>
    </message>
    <message>
        <source>open {name}</source>
        <translation>打开 {name}</translation>
    </message>
    <message>
        <source>org/name, preset:name or package.module:callable</source>
        <translation>组织/名称、preset:名称 或 package.module:callable</translation>
    </message>
    <message>
        <source>out of memory</source>
        <translation>显存不足</translation>
    </message>
    <message>
        <source>pinned, {words}</source>
        <translation>已固定，{words}</translation>
    </message>
    <message>
        <source>pipeline</source>
        <translation>流水线</translation>
    </message>
    <message>
        <source>plan for {name}</source>
        <translation>{name} 的方案</translation>
    </message>
    <message>
        <source>prediction off by {error}</source>
        <translation>预测误差 {error}</translation>
    </message>
    <message>
        <source>recomputed</source>
        <translation>重计算</translation>
    </message>
    <message>
        <source>replicated</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>reset the plan</source>
        <translation>重置方案</translation>
    </message>
    <message>
        <source>reset {name}</source>
        <translation>重置 {name}</translation>
    </message>
    <message>
        <source>restore the plan</source>
        <translation>恢复方案</translation>
    </message>
    <message>
        <source>running</source>
        <translation>运行中</translation>
    </message>
    <message>
        <source>same time</source>
        <translation>时间不变</translation>
    </message>
    <message>
        <source>sample “{title}”</source>
        <translation>示例“{title}”</translation>
    </message>
    <message>
        <source>says everything</source>
        <translation>全部可表达</translation>
    </message>
    <message>
        <source>stages, 1F1B</source>
        <translation>阶段，1F1B</translation>
    </message>
    <message>
        <source>stages, GPipe</source>
        <translation>阶段，GPipe</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>tensor</source>
        <translation>张量</translation>
    </message>
    <message>
        <source>the compressed model is not kept</source>
        <translation>不保留压缩后的模型</translation>
    </message>
    <message>
        <source>this CPU</source>
        <translation>本机 CPU</translation>
    </message>
    <message>
        <source>this card</source>
        <translation>这张卡</translation>
    </message>
    <message>
        <source>this plan</source>
        <translation>当前方案</translation>
    </message>
    <message>
        <source>time not known here</source>
        <translation>此处时间未知</translation>
    </message>
    <message>
        <source>to {folder}</source>
        <translation>保存到 {folder}</translation>
    </message>
    <message>
        <source>today {time}</source>
        <translation>今天 {time}</translation>
    </message>
    <message>
        <source>use the plan of {when}</source>
        <translation>采用 {when} 的方案</translation>
    </message>
    <message>
        <source>use {key}</source>
        <translation>采用 {key}</translation>
    </message>
    <message>
        <source>zero bubble</source>
        <translation>零气泡</translation>
    </message>
    <message>
        <source>{bits}-bit</source>
        <translation>{bits} 位</translation>
    </message>
    <message>
        <source>{class_name} from {source}</source>
        <translation>{class_name}，来自 {source}</translation>
    </message>
    <message>
        <source>{command} has these keys.</source>
        <translation>{command} 已使用此快捷键。</translation>
    </message>
    <message>
        <source>{counted} measured on {where}: {words}</source>
        <translation>{where}上实测：{counted}，{words}</translation>
    </message>
    <message numerus="yes">
        <source>{count} changes</source>
        <comment>{count} change</comment>
        <translation>
            <numerusform>{count} 项更改</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} changes of a found plan</source>
        <translation>搜索所得方案的 {count} 项更改</translation>
    </message>
    <message numerus="yes">
        <source>{count} edits</source>
        <comment>one edit</comment>
        <translation>
            <numerusform>{count} 次编辑</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} layers</source>
        <translation>{count} 层</translation>
    </message>
    <message>
        <source>{count} linear layers</source>
        <translation>{count} 个线性层</translation>
    </message>
    <message numerus="yes">
        <source>{count} lines</source>
        <comment>{count} line</comment>
        <translation>
            <numerusform>{count} 行</numerusform>
        </translation>
    </message>
    <message>
        <source>{count} modules</source>
        <translation>{count} 个模块</translation>
    </message>
    <message numerus="yes">
        <source>{count} things it cannot say</source>
        <comment>{count} thing it cannot say</comment>
        <translation>
            <numerusform>{count} 项无法表达</numerusform>
        </translation>
    </message>
    <message>
        <source>{day} {month}</source>
        <translation>{month}{day}日</translation>
    </message>
    <message>
        <source>{day} {month} {year}</source>
        <translation>{year}年{month}{day}日</translation>
    </message>
    <message>
        <source>{file} is on the clipboard.</source>
        <translation>{file} 已复制到剪贴板。</translation>
    </message>
    <message>
        <source>{free} free</source>
        <translation>空闲 {free}</translation>
    </message>
    <message>
        <source>{interpreter} on {machine}</source>
        <translation>{machine} 上的 {interpreter}</translation>
    </message>
    <message>
        <source>{keys} alone is typed into fields; hold Ctrl, Alt or Meta with it.</source>
        <translation>{keys} 单独按下时会输入到字段中；请同时按住 Ctrl、Alt 或 Meta。</translation>
    </message>
    <message>
        <source>{keys} belongs to “{command}”, which would lose it.</source>
        <translation>{keys} 属于“{command}”，那个命令会失去它。</translation>
    </message>
    <message>
        <source>{keys} edits or copies in fields and tables; choose other keys.</source>
        <translation>{keys} 用于字段和表格中的编辑或复制；请选择其他快捷键。</translation>
    </message>
    <message>
        <source>{name} is not {where}, so the plan cannot be run on it.</source>
        <translation>{name} 不{where}，因此无法在其上运行方案。</translation>
    </message>
    <message>
        <source>{name} is used for the model you open next.</source>
        <translation>{name} 将用于你接下来打开的模型。</translation>
    </message>
    <message>
        <source>{name} on {machine}</source>
        <translation>{machine} 上的 {name}</translation>
    </message>
    <message>
        <source>{name} was changed by another program since this window read it.</source>
        <translation>此窗口读取 {name} 之后，另一个程序更改了它。</translation>
    </message>
    <message>
        <source>{name}, copy</source>
        <translation>{name}，副本</translation>
    </message>
    <message>
        <source>{name}, {here}: {memory}, others hold {used}</source>
        <translation>{name}，{here}：{memory}，其他程序占用 {used}</translation>
    </message>
    <message>
        <source>{name}, {plan_name}[*] – memplanner</source>
        <translation>{name}，{plan_name}[*] – memplanner</translation>
    </message>
    <message>
        <source>{parameters} parameters</source>
        <translation>{parameters} 参数</translation>
    </message>
    <message>
        <source>{path} cannot be used, since {what}: {reason}.</source>
        <translation>无法使用 {path}，因为{what}：{reason}。</translation>
    </message>
    <message>
        <source>{path} cannot be used, since {what}; it is kept as {name}.</source>
        <translation>无法使用 {path}，因为{what}；已保留为 {name}。</translation>
    </message>
    <message>
        <source>{path} cannot be written: {reason}.</source>
        <translation>无法写入 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} cannot be written: {reason}; choose another place.</source>
        <translation>无法写入 {path}：{reason}；请另选位置。</translation>
    </message>
    <message>
        <source>{path} could not be read: {reason}.</source>
        <translation>无法读取 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} could not be removed: {reason}.</source>
        <translation>无法删除 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} could not be saved: {reason}.</source>
        <translation>无法保存 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} could not be written: {reason}.</source>
        <translation>无法写入 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} holds values that make no sense and are left out: {names}.</source>
        <translation>{path} 中有无意义的值，已略去：{names}。</translation>
    </message>
    <message numerus="yes">
        <source>{ranks} cards</source>
        <comment>{ranks} card</comment>
        <translation>
            <numerusform>{ranks} 张卡</numerusform>
        </translation>
    </message>
    <message>
        <source>{ranks} cards, not timed</source>
        <translation>{ranks} 张卡，未计时</translation>
    </message>
    <message>
        <source>{share} % pruned</source>
        <translation>剪枝 {share} %</translation>
    </message>
    <message>
        <source>{share} % time</source>
        <translation>时间 {share} %</translation>
    </message>
    <message>
        <source>{shown} of {all} shown</source>
        <translation>显示 {shown} / {all}</translation>
    </message>
    <message>
        <source>{time} a step</source>
        <translation>每步 {time}</translation>
    </message>
    <message>
        <source>{values} or {last}</source>
        <translation>{values} 或 {last}</translation>
    </message>
    <message>
        <source>{value} only</source>
        <translation>仅 {value}</translation>
    </message>
    <message>
        <source>{where}: Python {python}, memplanner {version}, process {process_id}. Press to choose another</source>
        <translation>{where}：Python {python}，memplanner {version}，进程 {process_id}。按下可另选</translation>
    </message>
    <message>
        <source>{words}, estimated {time}</source>
        <translation>{words}，估计 {time}</translation>
    </message>
    <message>
        <source>{words}. Press to see them</source>
        <translation>{words}。按下可查看</translation>
    </message>
    <message>
        <source>“{name}” is no longer kept.</source>
        <translation>“{name}”不再保留。</translation>
    </message>
    <message>
        <source>“{wrong}” is no input; write it like tokens=2x128:int64.</source>
        <translation>“{wrong}”不是输入；请写成 tokens=2x128:int64 的形式。</translation>
    </message>
</context>
</TS>
