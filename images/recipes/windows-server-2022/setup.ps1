# Runs once, as the system account, at the end of Windows' setup. Everything that a person sets is in settings.json.
# This file has ASCII characters only: Windows PowerShell reads others wrongly.
$ErrorActionPreference = 'Stop'
$folder = Split-Path -Parent $MyInvocation.MyCommand.Path
$settings = Get-Content -Raw -Encoding UTF8 (Join-Path $folder 'settings.json') | ConvertFrom-Json
$log = Join-Path $env:SystemRoot 'Temp\bootledger.log'
Start-Transcript -Path $log -Append | Out-Null

function Report([string]$query) {
    & curl.exe -fsS -m 10 -o NUL "$($settings.progress_url)?$query" | Out-Host
}

function Fail([string]$text) {
    Write-Host "failed: $text"
    & curl.exe -fsS -m 10 -o NUL --data-urlencode 'stage=failed' --data-urlencode 'failed=1' --data-urlencode "text=$($text.Replace('"', "'"))" $settings.progress_url | Out-Host
    Start-Sleep -Seconds 1
    Copy-Item $log "$log.sent" -Force
    & curl.exe -fsS -m 30 -o NUL -X POST --data-binary "@$log.sent" $settings.log_url | Out-Host
}

# One step: its failure is reported, and ends the setup without DONE.
function Step([string]$name, [int]$percent, [scriptblock]$work) {
    Report "stage=$name&percent=$percent"
    try { & $work } catch { Fail "${name}: $_"; Stop-Transcript | Out-Null; exit 1 }
}

# The name of a network interface, from its name or its MAC address.
function Interface-Name([string]$wanted) {
    $mac = $wanted.Replace(':', '-').ToUpperInvariant()
    $adapter = Get-NetAdapter -Physical | Where-Object { $_.Name -eq $wanted -or $_.MacAddress -eq $mac } | Select-Object -First 1
    if (-not $adapter) { throw "there is no network interface $wanted" }
    $adapter.Name
}

Step 'first-boot' 85 { }

if ($settings.bond_interfaces.Count -gt 0 -or $settings.vlan -gt 0) {
    Step 'network' 88 {
        if ($settings.bond_interfaces.Count -gt 0) { $members = @($settings.bond_interfaces | ForEach-Object { Interface-Name $_ }) }
        else { $members = @(Interface-Name $settings.mac) }
        $mode = 'SwitchIndependent'
        if ($settings.bond_mode -eq '802.3ad' -and $members.Count -gt 1) { $mode = 'Lacp' }
        # A VLAN on one interface is a team of one: Windows Server has no other way without Hyper-V.
        New-NetLbfoTeam -Name bond0 -TeamMembers $members -TeamingMode $mode -Confirm:$false | Out-Null
        $carrier = 'bond0'
        if ($settings.vlan -gt 0) {
            Set-NetLbfoTeamNic -Team bond0 -Name bond0 -VlanID $settings.vlan
            $carrier = (Get-NetLbfoTeamNic -Team bond0 | Select-Object -First 1).Name
        }
        if ($settings.static) {
            $address = @{ InterfaceAlias = $carrier; IPAddress = $settings.ip; PrefixLength = $settings.prefix }
            if ($settings.gateway) { $address.DefaultGateway = $settings.gateway }
            New-NetIPAddress @address | Out-Null
            if ($settings.dns_servers.Count -gt 0) { Set-DnsClientServerAddress -InterfaceAlias $carrier -ServerAddresses $settings.dns_servers }
        }
    }
}

if ($settings.ntp_servers.Count -gt 0) {
    Step 'time' 89 {
        $peers = ($settings.ntp_servers | ForEach-Object { "$_,0x8" }) -join ' '
        & w32tm.exe /config "/manualpeerlist:$peers" /syncfromflags:manual /update
        if ($LASTEXITCODE -ne 0) { throw "w32tm ended with $LASTEXITCODE" }
    }
}

if ($settings.proxy) {
    Step 'proxy' 89 {
        & netsh.exe winhttp set proxy $settings.proxy
        if ($LASTEXITCODE -ne 0) { throw "netsh ended with $LASTEXITCODE" }
    }
}

if ($settings.serial_console -match '^(?:ttyS|COM)(\d+)(?:,(\d+))?') {
    $port = [int]$Matches[1]
    if ($settings.serial_console.StartsWith('ttyS')) { $port += 1 }
    $rate = 115200
    if ($Matches[2]) { $rate = [int]$Matches[2] }
    Step 'serial-console' 90 {
        & bcdedit.exe /emssettings "EMSPORT:$port" "EMSBAUDRATE:$rate"
        & bcdedit.exe /ems '{current}' on
    }
}

if ($settings.packages.Count -gt 0) {
    Step 'features' 91 { Install-WindowsFeature -Name $settings.packages -IncludeManagementTools | Out-Host }
}

if ($settings.ssh_keys.Count -gt 0) {
    Step 'ssh' 93 {
        if (-not (Get-Service sshd -ErrorAction SilentlyContinue)) {
            Get-WindowsCapability -Online -Name 'OpenSSH.Server*' | Add-WindowsCapability -Online | Out-Null
        }
        Set-Service sshd -StartupType Automatic
        Start-Service sshd
        $file = Join-Path $env:ProgramData 'ssh\administrators_authorized_keys'
        [IO.File]::WriteAllLines($file, [string[]]$settings.ssh_keys)
        # sshd refuses the file where others than the system and administrators may write it.
        & icacls.exe $file /inheritance:r /grant '*S-1-5-32-544:F' /grant '*S-1-5-18:F'
        if (-not (Get-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -ErrorAction SilentlyContinue)) {
            New-NetFirewallRule -Name 'OpenSSH-Server-In-TCP' -DisplayName 'OpenSSH Server' -Protocol TCP -LocalPort 22 -Direction Inbound -Action Allow | Out-Null
        }
    }
}

$number = 0
foreach ($command in $settings.late_commands) {
    $number += 1
    Step "late-command-$number" 95 {
        $global:LASTEXITCODE = 0
        Invoke-Expression $command
        if ($LASTEXITCODE -ne 0) { throw "the command ended with $LASTEXITCODE" }
    }
}

# The answer file holds passwords.
Remove-Item (Join-Path $env:SystemRoot 'Panther\unattend.xml') -Force -ErrorAction SilentlyContinue

# DONE is safe to repeat.
for ($try = 0; $try -lt 60; $try++) {
    & curl.exe -fsS -m 10 -o NUL $settings.done_url
    if ($LASTEXITCODE -eq 0) {
        Remove-Item (Join-Path $folder 'settings.json') -Force -ErrorAction SilentlyContinue
        Stop-Transcript | Out-Null
        exit 0
    }
    Start-Sleep -Seconds 10
}
Fail 'the server did not take DONE'
Stop-Transcript | Out-Null
exit 1
